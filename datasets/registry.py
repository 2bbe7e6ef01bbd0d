"""Every data set by name. Adding one: a file here and a line below (or `--plugin my_data.py`)."""

from __future__ import annotations

from typing import Any

from common.errors import UserError
from common.registry import Entry, Registry


class Datasets(Registry):
    """Data sets by name; `folder:PATH` is the data set `folder` of that path."""

    def __getitem__(self, name: str) -> Entry:
        return super().__getitem__(name.partition(":")[0])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.partition(":")[0])

    def load(self, name: str) -> Any:
        """The class behind `name`, imported now; with an argument, a subclass that carries it.

        Raises UserError for an unknown name, and for an argument that is missing or not wanted.
        """
        cls = super().load(name)
        _, colon, argument = name.partition(":")
        if not colon:
            return cls
        if not cls.takes or not argument:
            raise UserError(f"data set '{name}': " + (f"{cls.takes} is missing" if cls.takes else "takes no argument"))
        return type(cls.__name__, (cls,), {"argument": argument, "__module__": cls.__module__, "__doc__": cls.__doc__})


DATASETS = Datasets(
    "data set",
    {
        "digits": ("datasets.embedded.digits:Digits", "1,797 scanned digits, 8x8 grey, from scikit-learn (embedded)"),
        "faces": ("datasets.embedded.faces:Faces", "drawn expressions of known ambiguity, 48x48 grey (embedded)"),
        "rafdb": ("datasets.expressions.rafdb:RAFDB", "RAF-DB, 7 expressions, 100x100, from its authors"),
        "fer2013": ("datasets.expressions.fer2013:FER2013", "FER2013, 48x48 grey, from Kaggle"),
        "affectnet": ("datasets.expressions.affectnet:AffectNet", "AffectNet, 8 expressions, from its authors"),
        "affectnet7": ("datasets.expressions.affectnet:AffectNet7", "AffectNet without contempt, 7 expressions"),
        "cifar10": ("datasets.cifar10:CIFAR10", "CIFAR-10, 32x32, with CIFAR-10N and CIFAR-10H (download)"),
        "imagenet100": (
            "datasets.imagenet.imagenet100:ImageNet100",
            "100 classes, from image-net.org or Kaggle",
        ),
        "tiny_imagenet": (
            "datasets.imagenet.tiny_imagenet:TinyImageNet",
            "200 classes at 64x64 (download)",
        ),
        "folder": ("datasets.folder:Folder", "your own: --datasets folder:PATH, any train|test/<class>/ tree"),
    },
)
register = DATASETS.register
