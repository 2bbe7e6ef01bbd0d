"""What a method must do, checked on a small example: over the whole registry in the tests, and on every plug-in."""

from __future__ import annotations

import copy
import inspect
import re
from collections import Counter
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from common.errors import UserError
from methods.core import backbones
from methods.core.base import Batch, Clock, Method, MethodConfig, Prediction, Step
from methods.registry import METHODS

CLASSES, SIZE, BATCH = 3, 16, 6
CLOCK = Clock(epoch=50, step=0, epochs=70, steps_per_epoch=2)


def check_method(cls: Any) -> None:
    """Raise a UserError that names the clause of the contract which the class breaks; return None when it breaks none.

    A method that names `members` trains nothing: the clauses on `classifier`, `param_groups`, `training_step` and
    relabelling do not hold for it, those on its members do instead. Takes a fraction of a second on a CPU, and leaves
    torch's random state as it was.
    """
    name = getattr(cls, "__name__", repr(cls))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = _construct(cls, name)
        if trains(cls):
            _check_groups(method, name)
            for size in (BATCH, 1):  # an epoch's last batch may hold one sample
                _check_step(method, name, size, "cpu")
            _check_step(_construct(cls, name).to("meta"), name, BATCH, "meta")
        else:
            _check_members(method, name)
        prediction = _check_predict(method, name)
        _check_state(method, name, prediction)


def trains(cls: type[Method]) -> bool:
    """Whether a method has a training of its own, as opposed to being made of other methods' runs."""
    return not cls.members(cls.Config(), 0)


def _broken(name: str, clause: str, cause: Exception | None = None) -> UserError:
    detail = f" ({type(cause).__name__}: {next(iter(str(cause).splitlines()), '')})" if cause else ""
    return UserError(f"method '{name}' breaks the contract: {clause}{detail}")


def _construct(cls: Any, name: str) -> Method:
    if not (inspect.isclass(cls) and issubclass(cls, Method)):
        raise _broken(name, "it must be a subclass of methods.Method")
    if missing := sorted(cls.__abstractmethods__):
        raise _broken(name, f"it must define {', '.join(missing)}")
    if not isinstance(getattr(cls, "reference", None), str) or not cls.reference:
        raise _broken(name, "`reference` must say where the method comes from")
    if not (inspect.isclass(cls.Config) and issubclass(cls.Config, MethodConfig)):
        raise _broken(name, "`Config` must be a subclass of methods.MethodConfig")
    try:
        trained = trains(cls)
        config = cls.Config.model_validate({"relabel": {"enabled": True, "epoch": 1} if trained else {}})
    except ValidationError as error:
        raise _broken(name, "every setting of `Config` must have a default", error) from None
    except Exception as error:
        raise _broken(name, "members must return (method, seed) pairs for any config and seed", error) from error
    try:
        method = cls(backbones.create("small", channels=1, image_size=SIZE), CLASSES, config)
    except Exception as error:
        raise _broken(name, "it must be constructible as cls(backbone, num_classes, config)", error) from error
    if trained and not isinstance(getattr(method, "classifier", None), torch.nn.Module):
        raise _broken(name, "__init__ must set self.classifier, the last linear layer")
    return method


def _check_members(method: Method, name: str) -> None:
    """Members are registered methods that train, other ones for every seed; the method takes their networks."""
    named = [method.members(method.config, seed) for seed in range(3)]
    if len({member for members in named for member in members}) < sum(map(len, named)):
        raise _broken(name, "members must name each run (method, seed) once, and no run for two seeds")
    for member, seed in named[0]:
        if member not in METHODS or not trains(METHODS.load(member)) or seed < 0:
            raise _broken(name, f"members must name registered methods that train, and seeds from 0: {member}, {seed}")
    networks = []
    for member, _ in named[0]:
        cls = METHODS.load(member)
        networks.append(cls(backbones.create("small", channels=1, image_size=SIZE), CLASSES, cls.Config()))
    try:
        method.adopt(networks)
    except Exception as error:
        raise _broken(name, "adopt must take its members' networks", error) from error


def _check_groups(method: Method, name: str) -> None:
    try:
        groups = method.param_groups()
        count = Counter(id(p) for group in groups for p in group.params)
    except Exception as error:
        raise _broken(name, "param_groups must return a list of ParamGroup", error) from error
    names = {id(p): key for key, p in method.named_parameters() if p.requires_grad}
    if missing := [key for identity, key in names.items() if identity not in count]:
        raise _broken(name, f"param_groups leaves out {', '.join(missing)}")
    if twice := [names.get(identity, "a parameter not of this module") for identity, n in count.items() if n > 1]:
        raise _broken(name, f"param_groups names {', '.join(twice)} more than once")
    if len(count) > len(names):
        raise _broken(name, "param_groups names parameters that are not the method's own or not trainable")


def _check_step(method: Method, name: str, size: int, device: str) -> None:
    """One step; on the meta device, which holds no values, any attempt to read one back raises."""
    images = torch.randn(size, 1, SIZE, SIZE, device=device)
    labels = (torch.arange(size) % CLASSES).to(device)
    batch = Batch(images, labels, torch.arange(size).to(device))
    given = labels.clone()
    where = f"training_step of a batch of {size}"
    method.train()
    method.zero_grad(set_to_none=True)
    try:
        step = method.training_step(batch, CLOCK)
    except Exception as error:
        if device == "meta":
            if _merely_lacks_a_meta_kernel(error):
                return
            clause = (
                "training_step must stay on the batch's device and read no value back (.item(), data-dependent shapes)"
            )
            raise _broken(name, clause, error) from error
        raise _broken(name, f"{where} raises", error) from error
    if not isinstance(step, Step):
        raise _broken(name, f"{where} must return a Step, not {type(step).__name__}")
    if not isinstance(step.loss, Tensor) or step.loss.shape != () or not step.loss.requires_grad:
        raise _broken(name, f"{where}: the loss must be a scalar tensor that requires grad")
    if step.loss.dtype != torch.float32:
        raise _broken(name, f"{where}: the loss must be float32, not {step.loss.dtype}")
    if any(not isinstance(value, Tensor) or value.numel() != 1 or value.requires_grad for value in step.logs.values()):
        raise _broken(name, f"{where}: logs must be detached scalar tensors")
    if step.labels is not None and (step.labels.shape != (size,) or step.labels.dtype != torch.long):
        raise _broken(name, f"{where}: labels must be None or [B] long")
    if not method.training:
        raise _broken(name, "training_step must leave the module in training mode")
    if device != "meta" and not torch.equal(labels, given):
        raise _broken(name, "training_step must not change the batch's labels in place; return new ones")
    try:
        step.loss.backward()
    except Exception as error:
        raise _broken(name, f"{where}: backward through the loss raises", error) from error
    if device == "meta":
        return
    grads = [p.grad for p in method.parameters() if p.grad is not None]
    if not torch.isfinite(step.loss) or not all(bool(torch.isfinite(grad).all()) for grad in grads):
        raise _broken(name, f"{where}: the loss and its gradients must be finite")
    if step.labels is not None and not bool(((step.labels >= 0) & (step.labels < CLASSES)).all()):
        raise _broken(name, f"{where}: labels must lie in [0, K)")


def _merely_lacks_a_meta_kernel(error: Exception) -> bool:
    """Some operations that need no values (sampling from a Dirichlet, say) are not written for the meta device."""
    operation = re.match(r"aten::(\w+?)\d*(\.\w+)?: attempted to run this operator with Meta tensors", str(error))
    return operation is not None and operation[1] not in (
        "bincount",
        "masked_select",
        "_unique",
        "unique_dim",
        "nonzero",
    )


def _check_predict(method: Method, name: str) -> Prediction:
    method.eval()
    images = torch.randn(BATCH, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(2)
    try:
        with torch.no_grad():
            prediction = method.predict(images)
    except Exception as error:
        raise _broken(name, "predict raises", error) from error
    if not isinstance(prediction, Prediction):
        raise _broken(name, f"predict must return a Prediction, not {type(prediction).__name__}")
    if prediction.logits.shape != (BATCH, CLASSES):
        raise _broken(name, f"predict: logits must be [B, K], not {list(prediction.logits.shape)}")
    if prediction.uncertainty.shape != (BATCH,):
        raise _broken(name, f"predict: uncertainty must be [B], not {list(prediction.uncertainty.shape)}")
    if prediction.features.dim() != 2 or prediction.features.shape[0] != BATCH:
        raise _broken(name, f"predict: features must be [B, D], not {list(prediction.features.shape)}")
    for field in ("logits", "uncertainty", "features"):
        if not bool(torch.isfinite(getattr(prediction, field)).all()):
            raise _broken(name, f"predict: {field} must be finite")
    return prediction


def _check_state(method: Method, name: str, prediction: Prediction) -> None:
    """A fresh method with the state of the first must predict the same (given the same random numbers)."""
    twin = type(method)(backbones.create("small", channels=1, image_size=SIZE), CLASSES, method.config)
    images = torch.randn(BATCH, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    try:
        twin.load_state_dict(copy.deepcopy(method.state_dict()))
    except RuntimeError as error:
        raise _broken(name, "its state_dict must load into a new instance", error) from error
    torch.manual_seed(2)
    with torch.no_grad():
        answer = twin.eval().predict(images)
    if not torch.equal(answer.logits, prediction.logits) or not torch.equal(answer.uncertainty, prediction.uncertainty):
        raise _broken(name, "what it has learned must all lie in its state_dict (parameters and buffers)")
