"""Names of plug-ins: one class has a name, whatever other files call theirs."""

import pytest

from common.errors import UserError
from common.registry import Registry


def named(module, name="Mine"):
    return type(name, (), {"__module__": module, "__qualname__": name})


@pytest.mark.parametrize(
    "second", [named("plugin_2"), named("plugin_1", "Other"), named("common.registry", "Registry")]
)
def test_a_name_is_not_taken_from_another_class(second):
    kinds = Registry("kind", {"ours": ("common.errors:UserError", "")})
    first = kinds.register("mine", "the first")(named("plugin_1"))
    for name in ("mine", "ours"):
        with pytest.raises(UserError, match=f"kind '{name}' is registered already"):
            kinds.register(name, "the second")(second)
    assert kinds.load("mine") is first and kinds.load("ours") is UserError


def test_the_same_class_again_is_taken():
    """As a notebook's cell that is run twice makes it, or a worker that loads the file anew."""
    kinds = Registry("kind", {})
    for summary in ("before", "after"):
        kinds.register("mine", summary)(named("__main__"))
    assert kinds["mine"].summary == "after"
