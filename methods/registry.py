"""Every method by name. Adding one: a file here and a line below (or `--plugin my_method.py`)."""

from __future__ import annotations

from common.registry import Registry

METHODS = Registry(
    "method",
    {
        "baseline": ("methods.baseline:Baseline", "cross-entropy; uncertainty = 1 - max softmax"),
        "scn": ("methods.scn:SCN", "Self-Cure Network: importance weighting, rank regularisation, relabelling"),
        "dul": ("methods.dul:DUL", "Data Uncertainty Learning: Gaussian embeddings with a KL term"),
        "conf": ("methods.conf:CONF", "learned confidence with label hints"),
        "rul": ("methods.rul:RUL", "Relative Uncertainty Learning: uncertainty-weighted feature mixing, add-up loss"),
        "mix_output": (
            "methods.ablations.mix_output:MixOutput",
            "RUL ablation: mixes logits or probabilities, not features",
        ),
        "loss_attention": (
            "methods.ablations.loss_attention:LossAttention",
            "RUL ablation: weights the losses, mixes nothing",
        ),
        "dul_rul": ("methods.ablations.dul_rul:DULRUL", "DUL whose sigma is learned by RUL's add-up loss"),
        "rul_head": (
            "methods.ablations.rul_head:RULHead",
            "control for RUL: cross-entropy behind its mu branch, no uncertainty",
        ),
        "mc_dropout": ("methods.mc_dropout:MCDropout", "Monte Carlo dropout: several passes with dropout at test time"),
        "deep_ensemble": ("methods.deep_ensemble:DeepEnsemble", "mean prediction of several networks trained apart"),
        "mixup": ("methods.mixup:Mixup", "convex combinations of images and labels"),
        "manifold_mixup": ("methods.manifold_mixup:ManifoldMixup", "mixup of hidden states at a random depth"),
        "eac": ("methods.eac:EAC", "Erasing Attention Consistency: class activation maps agree under flips"),
    },
)
register = METHODS.register
