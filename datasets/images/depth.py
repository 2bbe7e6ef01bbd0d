"""Images of more than 8 bits a channel: scaled, or refused where their values do not show which of them is white."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from PIL.ImageFile import ImageFile

_DARKEST = 1 << 12  # a 16-bit image with nothing above is one of 8 to 12 bits
_SIXTEEN = (";16B", ";16L", ";16N")  # how PIL calls two bytes a channel: big endian, little endian, the machine's own
_SWAPPED = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_PLANES, _BITS = 284, 258  # tags of TIFF


def raw_mode(image: ImageFile) -> str:
    """How the file holds its pixels, in PIL's words ("RGB;16B"). The image must not be loaded yet: then it is gone."""
    arguments = image.tile[0][3] if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def check_colour(image: Image.Image, raw: str, path: Path) -> None:
    """Raise DataError for colours (or grey and alpha) of 16 bits none of which reaches 4,096.

    PIL keeps their upper 8 bits alone, so `image`, which is loaded, does not show it. `raw`: its `raw_mode` before.
    """
    import numpy as np

    if image.mode.startswith("I") or image.format not in ("PNG", "TIFF"):
        return
    if not raw.endswith(_SIXTEEN):
        tags: Any = getattr(image, "tag_v2", {})
        if tags.get(_PLANES) == 2 and 16 in tags.get(_BITS, ()):  # PIL would read them as 8 bits
            raise DataError(f"{path}: colours of 16 bits in separate planes are not read; convert the files to 8 bits")
        return
    colours = len(image.getbands()) - ("A" in image.getbands())
    upper = np.asarray(image)[..., :colours]
    if int(upper.max()) << 8 < _DARKEST:
        check_white(upper.astype(np.uint16) << 8 | _lower_bytes(path, raw, colours), path)


def grey_of_8_bits(image: Image.Image, path: Path) -> Image.Image:
    """A grey image of more than 8 bits, scaled: PIL's own conversion would clip. Raises DataError as `check_white`."""
    import numpy as np
    from PIL import Image

    deep = np.asarray(image)
    check_white(deep, path)
    return Image.fromarray((deep >> 8).astype(np.uint8))


def check_white(deep: np.ndarray, path: Path) -> None:
    """Raise DataError for values of no 16 bits, and where none reaches 4,096 though not all are 0."""
    least, most = int(deep.min()), int(deep.max())
    if least < 0 or most > 0xFFFF or 0 < most < _DARKEST:
        raise DataError(
            f"{path}: pixels of more than 8 bits whose values are {least:,} to {most:,}: which value is white is "
            "not known, and taken for 16 bits they would be black; convert the files to 8 bits"
        )


def _lower_bytes(path: Path, raw: str, colours: int) -> np.ndarray:
    """[H, W, colours]: told the other byte order, PIL takes the lower byte of every number for the upper one."""
    import numpy as np
    from PIL import Image

    # Grey and alpha have no other order: as four bytes a pixel they are grey's upper and lower, then alpha's.
    grey_and_alpha = raw.startswith("LA")
    swapped = "RGBA" if grey_and_alpha else raw[:-1] + _SWAPPED[raw[-1]]
    with Image.open(path) as image:
        decoder, extent, offset, arguments = image.tile[0]
        told = (swapped, *arguments[1:]) if isinstance(arguments, tuple) else swapped
        image.tile = [(decoder, extent, offset, told)]  # type: ignore[list-item]  # as PIL before 11 has them
        bytes_ = np.asarray(image)
    return bytes_[..., 1:2] if grey_and_alpha else bytes_[..., :colours]
