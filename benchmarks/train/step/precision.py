"""Numeric precision: what a recipe asks for, what the device can do, what was used."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache

import torch

from benchmarks.plan.recipe import Recipe

log = logging.getLogger(__name__)

# Instruction sets that bfloat16 is tried with on a CPU. Some processors (or the virtual machines around them) announce
# matrix tiles (AMX) that they cannot run: a process that uses them dies of SIGILL, so the trying is a process's, too.
ISA_VARIABLE, ISAS = "ONEDNN_MAX_CPU_ISA", (None, "AVX512_CORE_BF16")
TRIAL = """
import torch
net = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3), torch.nn.ReLU(), torch.nn.Conv2d(64, 64, 3), torch.nn.Flatten(1),
                          torch.nn.Linear(64 * 144, 64)).to(memory_format=torch.channels_last)
with torch.autocast("cpu", dtype=torch.bfloat16):
    loss = net(torch.ones(8, 3, 16, 16).contiguous(memory_format=torch.channels_last)).float().sum()
loss.backward()
assert all(p.grad.isfinite().all() for p in net.parameters())
"""


@dataclass(frozen=True)
class Precision:
    """The precision of a run on a device. `dtype` float32 means no autocast."""

    device: torch.device
    dtype: torch.dtype
    tf32: bool = False  # float32 whose products a GPU rounds to 10 bits of mantissa

    @classmethod
    def of(cls, recipe: Recipe, device: torch.device) -> Precision:
        """`auto` is float32 on a CPU, and on a GPU mixed precision in bfloat16 where the chip has it, else float16.

        What the device cannot do gives way to float32, with a logged reason; records name what was used.
        """
        wanted: str = recipe.precision
        gpu = device.type == "cuda"
        if (
            gpu
        ):  # torch asks the current device what it can do, here and in every autocast, whichever the tensors are on
            torch.cuda.set_device(device)
        if wanted == "auto":
            wanted = "float32" if not gpu else "bfloat16" if torch.cuda.is_bf16_supported(False) else "float16"
        elif wanted == "tf32" and not (gpu and torch.cuda.get_device_capability(device) >= (8, 0)):
            wanted = _instead(wanted, f"{device} has no such products")
        elif wanted == "bfloat16" and not gpu and not _cpu_has_bfloat16():
            wanted = _instead(wanted, "this processor would emulate it, at an eighth of the speed")
        elif wanted == "bfloat16" and not gpu and not _cpu_runs_bfloat16():
            wanted = _instead(wanted, "this processor fails at it")
        if gpu and wanted in ("float32", "tf32"):  # torch's own default is TF32 in convolutions, whatever one asks for
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = wanted == "tf32"
        if wanted == "tf32":
            return cls(device, torch.float32, tf32=True)
        return cls(device, getattr(torch, wanted))

    @property
    def name(self) -> str:
        """As records name it: float32, tf32, bfloat16, float16."""
        return "tf32" if self.tf32 else str(self.dtype).removeprefix("torch.")

    def autocast(self) -> AbstractContextManager:
        """Context for forward passes and losses; matrix products in `dtype`, the rest in float32."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def scaler(self) -> torch.amp.GradScaler:
        """Gradient scaling, active in float16 only (bfloat16 has float32's range)."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)


def _instead(wanted: str, reason: str) -> str:
    log.warning("precision %s: %s; float32 is used", wanted, reason)
    return "float32"


def _cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16 (x86: AVX-512 BF16 or AMX; others: as oneDNN says)."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@cache
def _cpu_runs_bfloat16() -> bool:
    """Whether a small network trains in bfloat16 on this CPU; where it needs a smaller instruction set, that is set.

    The setting holds for this process as long as it has not convolved anything yet.
    """
    for isa in ISAS:
        chosen = {} if isa is None else {ISA_VARIABLE: isa}
        result = subprocess.run(
            [sys.executable, "-c", TRIAL], env={**os.environ, **chosen}, capture_output=True, timeout=120
        )
        if result.returncode == 0:
            os.environ.update(chosen)
            return True
    return False


def device_name(device: torch.device) -> str:
    """The device as records name it: the GPU's name, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
