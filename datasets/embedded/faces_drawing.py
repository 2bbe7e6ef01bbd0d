"""Faces drawn from parameters: arrays of parameters in, 48x48 grey images out, a chunk of images at a time.

Everything is a soft mask over the pixel grid in the face's own coordinates (u to the right, v down, the head about
[-0.75, 0.75] x [-1, 1]), painted back to front. Left and right are drawn at once through |u|.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SIZE = 48
_CHUNK = 64  # images drawn at once: the working set stays in the processor's cache
_SOFT = 1.6 / SIZE  # half the width of an edge, in canvas units (a pixel is 2 / SIZE)

Array = np.ndarray
Parameters = Mapping[str, Array]  # name -> [N] float32


def draw(parameters: Parameters, rng: np.random.Generator) -> Array:
    """[N, 48, 48] uint8 images of N faces; `rng` gives the sensor noise. Parameters: see `faces_sampling.py`."""
    count = len(next(iter(parameters.values())))
    out = np.empty((count, SIZE, SIZE), dtype=np.uint8)
    for start in range(0, count, _CHUNK):
        stop = min(start + _CHUNK, count)
        chunk = _Face({name: values[start:stop, None, None] for name, values in parameters.items()})
        noise = rng.standard_normal((stop - start, SIZE, SIZE), dtype=np.float32)
        out[start:stop] = chunk.render(noise)
    return out


def _inside(distance: Array) -> Array:
    """Coverage 0..1 of a shape from the signed distance to its edge (negative inside)."""
    coverage = distance * np.float32(-0.5 / _SOFT)
    coverage += np.float32(0.5)
    return np.clip(coverage, 0, 1, out=coverage)


class _Face:
    """One chunk of faces; `p[name]` is [n, 1, 1]."""

    def __init__(self, p: Mapping[str, Array]) -> None:
        self.p = p
        axis = ((np.arange(SIZE, dtype=np.float32) + 0.5) * (2 / SIZE) - 1).astype(np.float32)
        self.x, self.y = axis[None, None, :], axis[None, :, None]
        # Pose: canvas -> face coordinates (the inverse of turning, shifting and scaling the face).
        x, y = self.x - p["shift_x"], self.y - p["shift_y"]
        cos, sin = np.cos(p["turn"]) / p["scale"], np.sin(p["turn"]) / p["scale"]
        self.v = cos * y - sin * x
        self.u = cos * x + sin * y + p["shear"] * self.v
        self.au = np.abs(self.u)
        self.side = np.sign(self.u)

    def render(self, noise: Array) -> Array:
        p = self.p
        self.image = p["backdrop"] + p["backdrop_x"] * self.x + p["backdrop_y"] * self.y
        self._head()
        self._folds()
        self._nose()
        upper = self._rows(-0.80, 0.22)
        self._eyes(upper)
        self._brows(upper)
        self._glasses(upper)
        self._mouth(self._rows(0.05, 1.05))
        return self._camera(noise)

    def _rows(self, top: float, bottom: float) -> slice:
        """Canvas rows that hold face rows v in [top, bottom] for every face of the chunk."""
        inside = ((self.v > top) & (self.v < bottom) & (self.au < 0.8)).any(axis=(0, 2))
        rows = np.flatnonzero(inside)
        return slice(int(rows[0]), int(rows[-1]) + 1)

    def _paint(self, mask: Array, tone: Array | float, rows: slice = slice(None)) -> None:
        part = self.image[:, rows]
        part += mask * (tone - part)

    def _head(self) -> None:
        p, u, v, au = self.p, self.u, self.v, self.au
        drop = p["jaw"]  # an open mouth lengthens the lower face
        height = np.where(v > 0, p["face_h"] * (1 + 0.10 * drop), p["face_h"])
        # The jaw narrows below the eyes.
        width = p["face_w"] * (1 - p["taper"] * np.clip(v, 0, 1) ** 2)
        radius = np.sqrt((u / width) ** 2 + (v / height) ** 2)
        hair = np.sqrt((u / (p["face_w"] * p["hair_w"])) ** 2 + ((v + 0.10) / (p["face_h"] * 1.08)) ** 2)
        back = np.maximum((hair - 1) * 0.7, v - p["hair_length"])
        neck = np.maximum(au - 0.55 * p["face_w"], -v)
        self._paint(_inside(neck), p["skin"] * 0.78)
        shoulders = 1.02 + 0.35 * au * au - v
        self._paint(_inside(shoulders), p["clothes"])
        self._paint(_inside(back), p["hair"])
        face = _inside((radius - 1) * 0.7)
        # Round shading: darker towards the edge, lit from one side.
        shade = 1 - p["shading"] * radius * radius
        shade += p["light_u"] * u / p["face_w"] + p["light_v"] * v
        self._paint(face, p["skin"] * np.clip(shade, 0.3, 1.5))
        self.lit = np.clip(shade, 0.3, 1.5)
        fringe = v + p["hairline"] - p["fringe"] * (u + p["parting"]) ** 2
        self._paint(_inside(fringe) * face, p["hair"])
        beard = _inside(p["beard_top"] - v + 0.25 * (1 - au / p["face_w"])) * face
        self._paint(beard * p["beard"], p["hair"] * 0.8 + 0.1)

    def _folds(self) -> None:
        """Nasolabial folds and the furrow between the brows: what raised cheeks and drawn brows do to the skin."""
        p = self.p
        below = self.v - p["nose_y"]
        line = np.abs(self.au - p["nose_w"] * 1.5 - (0.55 + 0.25 * p["mouth_w"]) * below) - 0.018
        span = np.maximum(-below - 0.02, below - 0.30)
        self._paint(_inside(np.maximum(line, span)) * p["fold"], p["skin"] * 0.55)
        furrow = np.maximum(np.abs(self.au - 0.055) - 0.012, np.abs(self.v - p["eye_y"] + 0.16) - 0.075)
        self._paint(_inside(furrow) * p["furrow"], p["skin"] * 0.5)

    def _nose(self) -> None:
        p = self.p
        side = np.maximum(
            np.abs(self.u - np.sign(p["light_u"]) * -0.06) - 0.02, np.abs(self.v - p["nose_y"] + 0.22) - 0.2
        )
        self._paint(_inside(side) * 0.22, p["skin"] * 0.6)
        tip = np.sqrt((self.au - p["nose_w"] * 0.62) ** 2 + (1.5 * (self.v - p["nose_y"])) ** 2) - p["nose_w"] * 0.42
        self._paint(_inside(tip) * 0.7, p["skin"] * 0.45)
        # Wrinkles across the bridge (disgust).
        ridge = np.abs((self.v - p["eye_y"] - 0.10) * 14 % 1 - 0.5) / 14 - 0.014
        window = np.maximum(self.au - 0.13, np.abs(self.v - p["eye_y"] - 0.09) - 0.11)
        self._paint(_inside(np.maximum(ridge, window)) * p["wrinkle"], p["skin"] * 0.55)

    def _eyes(self, rows: slice) -> None:
        p, side = self.p, self.side[:, rows]
        across = (self.au[:, rows] - p["eye_x"]) / p["eye_w"]
        down = self.v[:, rows] - p["eye_y"] - side * p["eye_tilt"]
        arch = np.clip(1 - across * across, -0.6, 1)
        slope = 0.03 * p["eye_slant"] * across
        top = slope - p["eye_open"] * (1 + p["eye_uneven"] * side) * arch
        bottom = slope + p["lid_low"] * arch
        opening = _inside(np.maximum(top - down, down - bottom))
        self._paint(opening, p["eye_white"], rows)
        gaze = side * (p["gaze_x"] / p["eye_w"])
        iris = np.sqrt(((across - gaze) * p["eye_w"]) ** 2 + (down - p["gaze_y"]) ** 2) - p["iris"]
        self._paint(_inside(iris) * opening, p["iris_tone"], rows)
        outside = (np.abs(across) - 1.1) * p["eye_w"]
        lid = np.maximum(np.abs(down - top) - 0.022, outside)
        self._paint(_inside(lid) * 0.9, p["skin"] * 0.25, rows)
        pouch = np.maximum(np.abs(down - bottom - p["pouch_gap"]) - 0.012, outside + 0.02)
        self._paint(_inside(pouch) * p["pouch"], p["skin"] * 0.5, rows)

    def _brows(self, rows: slice) -> None:
        p, side = self.p, self.side[:, rows]
        across = (self.au[:, rows] - p["brow_x"]) / p["brow_w"]  # -1 inner end, 1 outer end
        clipped = np.clip(across, -1, 1)
        line = p["eye_y"] - p["brow_y"] + p["brow_slant"] * clipped + p["brow_curve"] * (clipped * clipped - 0.5)
        line -= side * p["brow_uneven"]
        thick = p["brow_thick"] * (1 - 0.35 * clipped)
        brow = np.maximum(np.abs(self.v[:, rows] - line) - thick, (np.abs(across) - 1) * p["brow_w"])
        self._paint(_inside(brow) * p["brow_dark"], p["hair"] * 0.7, rows)

    def _glasses(self, rows: slice) -> None:
        p = self.p
        across, down = self.au[:, rows] - p["eye_x"], self.v[:, rows] - p["eye_y"] - 0.03
        lens = np.maximum(np.abs(across) - 0.22, np.abs(down) - 0.17)
        bridge = np.maximum(self.au[:, rows] - 0.12, np.abs(down + 0.05) - 0.012)
        frame = np.minimum(np.abs(lens) - 0.016, bridge)
        self._paint(_inside(frame) * p["glasses"], 0.12, rows)

    def _mouth(self, rows: slice) -> None:
        p = self.p
        u, v = self.u[:, rows] - p["mouth_x"], self.v[:, rows] - p["mouth_y"]
        across = u / p["mouth_w"]
        bow = across * across
        arch = np.clip(1 - bow, -0.5, 1)
        full = np.sqrt(np.clip(arch, 0, 1))
        corners = -p["mouth_curve"] * (bow - 0.35) - p["mouth_uneven"] * across
        top = corners - p["upper_open"] * arch
        bottom = corners + p["lower_open"] * full
        lips = np.maximum(top - p["upper_lip"] * full - v, v - bottom - p["lower_lip"] * full)
        ends = (np.abs(across) - 1.05) * p["mouth_w"]
        self._paint(_inside(np.maximum(lips, ends)) * 0.75, p["skin"] * p["lip_tone"], rows)
        slit = np.maximum(np.maximum(top - v, v - bottom) - 0.014, ends)
        opening = _inside(slit)
        self._paint(opening, 0.10, rows)
        depth = p["teeth"] * (p["upper_open"] + p["lower_open"])
        teeth = np.maximum(np.maximum(top - v + 0.01, v - top - depth * full), ends + 0.05)
        self._paint(_inside(teeth) * opening * (p["teeth"] > 0.05), p["tooth_tone"], rows)

    def _camera(self, noise: Array) -> Array:
        """Light across the picture, focus, contrast, sensor noise, 8 bits."""
        p, image = self.p, self.image
        image *= 1 + p["ramp_x"] * self.x + p["ramp_y"] * self.y
        blurred = image.copy()
        for _ in range(2):
            blurred[:, 1:-1] = (blurred[:, :-2] + 2 * blurred[:, 1:-1] + blurred[:, 2:]) * np.float32(0.25)
            blurred[:, :, 1:-1] = (blurred[:, :, :-2] + 2 * blurred[:, :, 1:-1] + blurred[:, :, 2:]) * np.float32(0.25)
        image += p["blur"] * (blurred - image)
        image = (image - 0.5) * p["contrast"] + p["brightness"]
        image += p["noise"] * noise
        image *= 255
        return np.clip(image, 0, 255, out=image).astype(np.uint8)
