"""How far a run is: a small file that `status` and the progress view read. (Whether it lives, its lease says.)"""

from __future__ import annotations

import os
import time
from pathlib import Path

from pydantic import Field

from benchmarks.plan.recipe import MOST_EPOCHS
from benchmarks.store.lease import host
from common.files import atomic_write
from common.foreign import Foreign
from common.text import Line

EVERY_SECONDS = 2.0


class Heartbeat(Foreign):
    """What `progress.json` says."""

    host: Line | None = None
    job: Line | None = None
    epoch: int = Field(0, ge=0, le=MOST_EPOCHS)  # saved ones
    epochs: int | None = Field(None, ge=1, le=MOST_EPOCHS)
    done: float = Field(0.0, ge=0, le=1)  # share of the run
    images_per_second: float | None = Field(None, ge=0)
    seconds_left: float | None = Field(None, ge=0)
    updated: float = 0.0  # seconds since 1970, by the writer's clock


class Progress:
    """Writes `progress.json` at most every two seconds, and at once when asked to."""

    def __init__(self, path: Path, epochs: int, steps_per_epoch: int, images_per_epoch: int) -> None:
        self.path = path
        self.epochs = epochs
        self.steps = steps_per_epoch
        self.images = images_per_epoch
        self._written = 0.0
        self._started = time.monotonic()
        self._first: float | None = None

    def beat(self, epoch: int, step: int, *, now: bool = False) -> None:
        """Note that `step` steps of `epoch` (counted from 0) have been issued."""
        moment = time.monotonic()
        if not now and moment - self._written < EVERY_SECONDS:
            return
        self._written = moment
        done = epoch + step / max(self.steps, 1)
        if self._first is None:
            self._first = done  # a resumed run's speed counts from where it went on
        seconds = moment - self._started
        images = (done - self._first) * self.images
        content = Heartbeat(
            host=host(),
            job=os.environ.get("SLURM_JOB_ID"),
            epoch=min(epoch, self.epochs),
            epochs=self.epochs,
            done=min(done / self.epochs, 1.0),
            images_per_second=images / seconds if seconds > 0 else None,
            seconds_left=max(self.epochs - done, 0.0) * self.images * seconds / images if images else None,
            updated=time.time(),
        )
        with atomic_write(self.path) as file:
            file.write(content.model_dump_json())


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 12 min, 3 h 20 min, 2 d 4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
