import pytest

from common import dotted
from common.errors import UserError


def test_nest_puts_dotted_keys_into_one_tree():
    flat = {"relabel.epoch": 2, "relabel.rule.share": 0.3, "variant": "paper"}
    assert dotted.nest(flat) == {"relabel": {"epoch": 2, "rule": {"share": 0.3}}, "variant": "paper"}


@pytest.mark.parametrize("order", [1, -1], ids=["whole first", "part first"])
def test_a_key_and_a_part_of_it_cannot_both_be_given(order):
    flat = dict([("relabel", 1), ("relabel.epoch", 2)][::order])
    with pytest.raises(UserError, match="'relabel"):
        dotted.nest(flat)


def test_get_and_remove_find_what_nest_put_there():
    tree = dotted.nest({"a.b.c": 1, "a.d": 2})
    assert dotted.get(tree, "a.b.c") == 1
    dotted.remove(tree, "a.b.c")
    assert tree == {"a": {"b": {}, "d": 2}}
    for act in (dotted.get, dotted.remove):
        with pytest.raises(KeyError):
            act(tree, "a.b.c")
