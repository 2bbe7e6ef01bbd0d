"""A GPU that is not there: shapes and devices are computed, values are not (`FakeTensorMode`).

What costs a GPU its time, the host waiting for a value or data on the wrong device, raises `Waits` in a training step.
"""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CPU_GENERATOR = torch.Generator
CUDA = torch.device("cuda")
COPIES = ("_to_copy", "copy_")


class Waits(AssertionError):
    """Host and device wait for each other, or meet where they must not."""


class Watch(TorchDispatchMode):
    """Looks at every operation. `in_step`: a training step runs, in which nothing crosses between host and device."""

    def __init__(self):
        super().__init__()
        self.in_step = False
        self.dtypes = set()  # that products were computed in
        self.read = 0  # how often values came back to the host
        self.generators = {}  # of a device that draws nothing: its address -> it, and the device

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        devices = {tensor.device.type for tensor in tensors}
        if name == "_local_scalar_dense":
            if devices == {"cuda"}:
                self.waits("a value of the device is read")
            return tensors[0].dtype == torch.bool  # True, or 0; the host's own costs nothing
        if name == "_fused_sgd_":  # torch knows no shapes for it; those of _fused_adam_ it does
            assert devices == {"cuda"}
            return None
        if len(devices) > 1 and (self.in_step or name not in COPIES):
            raise Waits(f"{name} mixes devices")
        try:
            result = func(*args, **kwargs)
        except DynamicOutputShapeException:
            raise Waits(f"the shape of {name} depends on values") from None
        if self.in_step and name in COPIES and devices != {result.device.type}:
            raise Waits("a copy between host and device")
        generator = kwargs.get("generator")
        if generator is not None and self.generators[generator._cdata][1] != result.device.type:
            raise Waits(f"{name}: a generator of another device")
        if name in ("mm", "addmm", "convolution"):
            self.dtypes.add(result.dtype)
        return result

    def waits(self, what):
        """The host asks for a value: never within a step, and counted elsewhere."""
        if self.in_step:
            raise Waits(what)
        self.read += 1

    @contextmanager
    def step(self):
        self.in_step = True
        try:
            yield
        finally:
            self.in_step = False


def moved(module, fn):
    """nn.Module._apply for tensors without memory: new parameters instead of the old ones' new contents."""
    for part in module.modules():
        for name, old in part._parameters.items():
            if old is not None:
                part._parameters[name] = nn.Parameter(fn(old.detach()), old.requires_grad)
        part._buffers |= {name: fn(old) for name, old in part._buffers.items() if old is not None}
    return module


@contextmanager
def pretended_gpu(monkeypatch, free=80 << 30):
    """A GPU with so many free bytes, by `Watch`. The stand-ins are for what only a driver can do."""
    watch = Watch()

    class Generator:
        """torch.Generator of any device: here it draws on none."""

        def __new__(cls, device="cpu"):
            made = CPU_GENERATOR("cpu")
            watch.generators[made._cdata] = made, torch.device(device).type
            return made

    def read(tensor):
        watch.waits("values are read")
        return np.zeros(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))

    def numpy(tensor):
        assert tensor.device.type == "cpu", "only a tensor of the host has an array"
        return read(tensor)

    def backward(loss):
        """Gradients of nothing: autograd has a thread for each device, and here is none."""
        assert loss.shape == () and loss.device.type == "cuda" and loss.requires_grad
        leaves, nodes = {}, [loss.grad_fn]
        while nodes:
            node = nodes.pop()
            if node is not None and node not in leaves:
                leaves[node] = getattr(node, "variable", None)
                nodes += [before for before, _ in node.next_functions]
        for leaf in leaves.values():
            if leaf is not None:
                leaf.grad = torch.zeros_like(leaf)

    for owner, name, stand_in in (
        (torch.cuda, "mem_get_info", lambda device: (free, free)),
        (torch.cuda, "set_device", lambda device: None),
        (torch.cuda, "is_bf16_supported", lambda including_emulation=True: True),
        (torch.cuda, "get_device_capability", lambda device=None: (9, 0)),
        (torch.cuda.amp.common, "amp_definitely_not_available", lambda: False),
        (torch, "Generator", Generator),
        (Tensor, "pin_memory", lambda tensor: tensor),
        (FakeTensor, "tolist", lambda tensor: read(tensor).tolist()),
        (Tensor, "numpy", numpy),
        (Tensor, "backward", backward),
        (nn.Module, "_apply", moved),
        (nn.Parameter, "__deepcopy__", lambda old, memo: nn.Parameter(old.detach().clone(), old.requires_grad)),
        (Tensor, "__deepcopy__", lambda old, memo: old.clone()),
    ):
        monkeypatch.setattr(owner, name, stand_in)
    with FakeTensorMode(), watch:
        yield watch
