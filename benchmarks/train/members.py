"""Runs that are made of other runs: the trained networks of an ensemble's members."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.plan.spec import RunSpec
from benchmarks.store.run_folder import RunFolder, Store
from benchmarks.train import checkpoint
from common.errors import UserError
from methods.core.base import Method


def hand_over(method: Method, spec: RunSpec, store: Store, build: Callable[[RunSpec], Method]) -> None:
    """Give `method` the networks of the spec's finished members; `build` makes one, untrained, from its spec.

    Raises UserError that names the first member whose run is not there to be used.
    """
    folders = [_finished(spec, member, store) for member in spec.members]  # all of them, before anything is built
    networks = []
    for member, folder in zip(spec.members, folders, strict=True):
        weights = checkpoint.final(folder.checkpoint, member.run_id)
        if weights is None:
            raise UserError(
                f"{spec.method}: {folder.checkpoint} does not hold the final weights of its member {member}; "
                f"move the folder away and give the same command again"
            )
        network = build(member)
        network.load_state_dict(weights)
        networks.append(network)
    method.adopt(networks)


def _finished(spec: RunSpec, member: RunSpec, store: Store) -> RunFolder:
    folder = store.run(member)
    status = folder.status()
    if status.state != "done":
        reason = f"{status.state}: {status.detail}" if status.detail else status.state
        raise UserError(f"{spec.method}: its member {member} is not done ({reason}); its folder: {folder.path}")
    return folder
