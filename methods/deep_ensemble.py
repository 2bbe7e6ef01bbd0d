"""Deep ensemble: the mean prediction of several networks that were trained apart. It trains nothing itself."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
from pydantic import field_validator
from torch import Tensor, nn

from common.errors import UserError
from methods.core.backbones import Backbone
from methods.core.base import Batch, Clock, Method, MethodConfig, ParamGroup, Prediction, Step, setting
from methods.core.losses import full_precision
from methods.core.relabel import Relabel
from methods.mc_dropout import disagreement, mean_log_probability
from methods.registry import METHODS

SEED_STRIDE = 1000  # between the seeds of one ensemble's members; runs of a benchmark have seeds far below it


class DeepEnsembleConfig(MethodConfig):
    """Settings of the ensemble. Its members' own are set under their own name (`baseline.pool_dropout`)."""

    members: int = setting(5, "number of networks M", "Lakshminarayanan et al., 2017: M = 5", ge=2, le=100)
    member: str = setting("baseline", "the method they are trained with", "Lakshminarayanan et al., 2017: a plain net")
    measure: Literal["entropy", "mutual_information"] = setting(
        "entropy", "uncertainty: of the mean prediction, or the members' disagreement", "Lakshminarayanan et al., 2017"
    )

    @field_validator("member")
    @classmethod
    def _trains(cls, name: str) -> str:
        member = METHODS.load(name)
        if member.members(member.Config(), 0):
            raise ValueError("it has members itself; choose a method that trains")
        return name

    @field_validator("relabel")
    @classmethod
    def _off(cls, rule: Relabel) -> Relabel:
        if rule.enabled:
            raise ValueError("an ensemble trains on no labels; switch it on for its members (baseline.relabel.enabled)")
        return rule


class DeepEnsemble(Method):
    """p = mean over M networks of softmax; logits = log p; uncertainty = entropy of p, or mutual information.

    The networks are runs of another method (`member`). The ensemble of seed s takes the run of seed s and M - 1 more,
    of seeds s + 1000 i: other initial weights, other order of the batches, and *the label noise of seed s for all of
    them*. With a noise mask each, most members would have seen the right label of any flipped sample, and the ensemble
    would win by labels that no other method got (digits, 30 % noise, 3 seeds: accuracy 97.3 % instead of 90.2 %, one
    network alone 84.3 %). Ensembles of different seeds share no member.
    """

    Config = DeepEnsembleConfig
    reference = (
        "Lakshminarayanan, Pritzel & Blundell, Predictive Uncertainty Estimation using Deep Ensembles, NIPS 2017"
    )
    note = "M networks: M times the training, the parameters and the prediction of every other row"

    def __init__(self, backbone: Backbone, num_classes: int, config: DeepEnsembleConfig) -> None:
        super().__init__(backbone, num_classes, config)
        del self.backbone  # every network has one of its own
        member = METHODS.load(config.member)
        self.networks = nn.ModuleList(
            member(copy.deepcopy(backbone), num_classes, member.Config()) for _ in range(config.members)
        )

    @classmethod
    def members(cls, config: Any, seed: int) -> tuple[tuple[str, int], ...]:
        """M runs of `config.member`, the first of the ensemble's own seed."""
        return tuple((config.member, seed + SEED_STRIDE * number) for number in range(config.members))

    def adopt(self, members: Sequence[Method]) -> None:
        """Predict with these networks from now on. Raises ValueError unless there are M."""
        if len(members) != self.config.members:
            raise ValueError(f"an ensemble of {self.config.members} networks cannot be made of {len(members)}")
        self.networks = nn.ModuleList(members)

    def param_groups(self) -> list[ParamGroup]:
        """None: there is nothing to train."""
        return []

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """Raises UserError: the members are trained, each alone."""
        raise UserError("a deep ensemble has no training of its own: train its members, then call adopt(members)")

    def predict(self, images: Tensor) -> Prediction:
        """log of the mean softmax [B, K], its uncertainty [B], all networks' features side by side [B, M D].

        The features are not averaged: networks that were trained apart share no coordinates.
        """
        answers = [cast(Method, network).predict(images) for network in self.networks]
        log_p = torch.stack([torch.log_softmax(full_precision(answer.logits), dim=1) for answer in answers])
        features = torch.cat([full_precision(answer.features) for answer in answers], dim=1)
        return Prediction(mean_log_probability(log_p), disagreement(log_p, self.config.measure), features)
