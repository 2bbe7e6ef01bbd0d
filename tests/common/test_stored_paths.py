from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from common.text import StoredPath, StoredText


class Stored(BaseModel):
    path: StoredPath
    text: StoredText


@pytest.mark.parametrize("name", ["plain", "dé 猫", "d\udce9", "\udcff\udc80a\\x00b", "a\x01b"])
def test_any_path_comes_back_from_json(name: str) -> None:
    made = Stored(path=Path("/data") / name, text=f"folder:{name}")
    assert Stored.model_validate_json(made.model_dump_json()) == made
    if name.isprintable():
        assert name.replace("\\", "\\\\") in made.model_dump_json()
