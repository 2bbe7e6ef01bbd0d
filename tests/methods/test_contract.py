"""The contract over every registered method, and the clause named for each way to break it."""

import subprocess
import sys

import pytest
import torch
from torch import nn

import methods
from common.errors import UserError
from methods.core.contract import check_method, trains
from methods.core.settings import setting


@pytest.mark.parametrize("name", methods.METHODS)
def test_contract(name):
    check_method(methods.METHODS.load(name))


class Good(methods.Method):
    """The smallest method: what the broken ones below are variations of."""

    reference = "a test"

    def __init__(self, backbone, num_classes, config):
        super().__init__(backbone, num_classes, config)
        self.classifier = nn.Linear(backbone.feature_shape[0], num_classes)

    def training_step(self, batch, clock):
        logits = self.classifier(self.backbone(batch.images).mean(dim=(2, 3)))
        return methods.Step(nn.functional.cross_entropy(logits, batch.labels))

    def predict(self, images):
        features = self.backbone(images).mean(dim=(2, 3))
        logits = self.classifier(features)
        return methods.Prediction(logits, 1 - logits.softmax(dim=1).amax(dim=1), features)


class NoReference(Good):
    reference = ""


class NoPredict(methods.Method):
    reference = "a test"

    def training_step(self, batch, clock): ...


class ConfigOfAnotherKind(Good):
    Config = dict


class NoDefault(Good):
    class Config(methods.MethodConfig):
        rate: float = setting(..., "a rate", "nowhere")


class NoClassifier(Good):
    def __init__(self, backbone, num_classes, config):
        super().__init__(backbone, num_classes, config)
        self.head = self.classifier
        del self.classifier


class OtherArguments(Good):
    def __init__(self, backbone):
        raise AssertionError


class Forgets(Good):
    def param_groups(self):
        return super().param_groups()[:1]


class Repeats(Good):
    def param_groups(self):
        return [*super().param_groups(), super().param_groups()[1]]


class Reads(Good):
    def training_step(self, batch, clock):
        step = super().training_step(batch, clock)
        return methods.Step(step.loss * max(step.loss.item(), 1.0))


class DataDependent(Good):
    def training_step(self, batch, clock):
        keep = batch.labels > -1
        return super().training_step(methods.Batch(batch.images[keep], batch.labels[keep], batch.index[keep]), clock)


class Leaves(Good):
    def training_step(self, batch, clock):
        step = super().training_step(batch, clock)
        return methods.Step(step.loss + step.loss.detach().cpu().numpy().sum())


class Dirichlet(Good):
    """Samples on the device; torch has no meta kernel for it, which is not the method's fault."""

    def training_step(self, batch, clock):
        ones = torch.ones(2, device=batch.images.device)
        share = torch.distributions.Dirichlet(ones, validate_args=False).sample()
        return methods.Step(super().training_step(batch, clock).loss * share.sum())


class ReturnsTheLoss(Good):
    def training_step(self, batch, clock):
        return super().training_step(batch, clock).loss


class LossPerSample(Good):
    def training_step(self, batch, clock):
        return methods.Step(super().training_step(batch, clock).loss.expand(3))


class Infinite(Good):
    def training_step(self, batch, clock):
        return methods.Step(super().training_step(batch, clock).loss / 0)


class FloatLabels(Good):
    def training_step(self, batch, clock):
        return methods.Step(super().training_step(batch, clock).loss, labels=batch.labels.float())


class InPlace(Good):
    def training_step(self, batch, clock):
        step = super().training_step(batch, clock)
        batch.labels.fill_(0)
        return step


class LogsWithHistory(Good):
    def training_step(self, batch, clock):
        loss = super().training_step(batch, clock).loss
        return methods.Step(loss, {"loss": loss})


class FailsOnOne(Good):
    def __init__(self, backbone, num_classes, config):
        super().__init__(backbone, num_classes, config)
        self.classifier = nn.Sequential(self.classifier, nn.BatchNorm1d(num_classes))


class UncertaintyPerClass(Good):
    def predict(self, images):
        answer = super().predict(images)
        return methods.Prediction(answer.logits, answer.logits, answer.features)


class NotFinite(Good):
    def predict(self, images):
        answer = super().predict(images)
        return methods.Prediction(answer.logits, answer.uncertainty / 0, answer.features)


class HiddenState(Good):
    def __init__(self, backbone, num_classes, config):
        super().__init__(backbone, num_classes, config)
        self.seen = 0.0

    def training_step(self, batch, clock):
        self.seen += 1
        return super().training_step(batch, clock)

    def predict(self, images):
        answer = super().predict(images)
        return methods.Prediction(answer.logits + self.seen, answer.uncertainty + self.seen, answer.features)


class Assembled(Good):
    """Made of two runs of another method."""

    def __init__(self, backbone, num_classes, config):
        super().__init__(backbone, num_classes, config)
        self.adopt([Good(backbone, num_classes, config), Good(backbone, num_classes, config)])

    @classmethod
    def members(cls, config, seed):
        return (("baseline", 2 * seed), ("baseline", 2 * seed + 1))

    def adopt(self, members):
        self.first, self.second = members

    def training_step(self, batch, clock):
        raise AssertionError

    def predict(self, images):
        return self.second.predict(images)


class SharesMembers(Assembled):
    @classmethod
    def members(cls, config, seed):
        return (("baseline", seed), ("baseline", seed + 1))


class NamesAnUnknownMember(Assembled):
    @classmethod
    def members(cls, config, seed):
        return (("basline", seed),)


class NamesAnAssembledMember(Assembled):
    @classmethod
    def members(cls, config, seed):
        return (("deep_ensemble", seed),)


class AdoptsNothing(Assembled):
    adopt = Good.adopt

    def __init__(self, backbone, num_classes, config):
        Good.__init__(self, backbone, num_classes, config)


class MembersFail(Good):
    @classmethod
    def members(cls, config, seed):
        return config.number


BROKEN = [
    (dict, "subclass of methods.Method"),
    (NoReference, "`reference`"),
    (NoPredict, "must define predict"),
    (ConfigOfAnotherKind, "subclass of methods.MethodConfig"),
    (NoDefault, "must have a default"),
    (NoClassifier, "self.classifier"),
    (OtherArguments, "cls(backbone, num_classes, config)"),
    (Forgets, "leaves out classifier.weight, classifier.bias"),
    (Repeats, "classifier.weight, classifier.bias more than once"),
    (Reads, "read no value back"),
    (DataDependent, "read no value back"),
    (Leaves, "read no value back"),
    (ReturnsTheLoss, "must return a Step, not Tensor"),
    (LossPerSample, "scalar tensor that requires grad"),
    (Infinite, "must be finite"),
    (FloatLabels, "None or [B] long"),
    (InPlace, "in place"),
    (LogsWithHistory, "detached"),
    (FailsOnOne, "training_step of a batch of 1 raises"),
    (UncertaintyPerClass, "uncertainty must be [B], not [6, 3]"),
    (NotFinite, "uncertainty must be finite"),
    (HiddenState, "must all lie in its state_dict"),
    (SharesMembers, "no run for two seeds"),
    (NamesAnUnknownMember, "registered methods that train"),
    (NamesAnAssembledMember, "registered methods that train"),
    (AdoptsNothing, "adopt must take"),
    (MembersFail, "(method, seed) pairs"),
]


def test_a_plain_method_passes_and_leaves_the_random_state():
    state = torch.get_rng_state()
    check_method(Good)
    check_method(Dirichlet)
    check_method(Assembled)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("cls", "clause"), BROKEN, ids=lambda value: getattr(value, "__name__", None))
def test_the_broken_clause_is_named(cls, clause):
    with pytest.raises(UserError) as error:
        check_method(cls)
    assert clause in str(error.value)
    assert "\n" not in str(error.value)


def test_param_groups_split_off_the_last_layer():
    for name in filter(lambda name: trains(methods.METHODS.load(name)), methods.METHODS):
        method = methods.create(name, 7, "small", image_size=16, channels=1)
        groups = {group.name: group.params for group in method.param_groups()}
        assert {id(p) for p in groups["classifier"]} == {id(p) for p in method.classifier.parameters()}
        assert sum(map(len, groups.values())) == len(list(method.parameters()))


def test_methods_work_in_a_loop_of_ones_own():
    """The example of the package's docstring, on a small network."""
    method = methods.create("rul", num_classes=7, backbone="small", image_size=16)
    optimizer = torch.optim.Adam(method.parameters())
    images, labels = torch.randn(14, 3, 16, 16), torch.arange(14) % 7
    losses = []
    for epoch in range(4):
        step = method.training_step(methods.Batch(images, labels, torch.arange(14)), methods.Clock(epoch, 0, 4, 1))
        optimizer.zero_grad()
        step.loss.backward()
        optimizer.step()
        losses.append(step.loss.item())
    assert losses[-1] < losses[0]


def test_names_are_listed_without_torch():
    code = "import methods, sys; list(methods.METHODS.items()); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
