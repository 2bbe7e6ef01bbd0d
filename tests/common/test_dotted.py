import copy

import pytest

from common import dotted
from common.errors import UserError


def test_nest_puts_dotted_keys_into_one_tree():
    flat = {"relabel.epoch": 2, "relabel.rule.share": 0.3, "variant": "paper"}
    assert dotted.nest(flat) == {"relabel": {"epoch": 2, "rule": {"share": 0.3}}, "variant": "paper"}


def test_flatten_gives_every_setting_its_dotted_key_and_leaves_what_it_reads():
    tree = {"relabel": {"epoch": 2, "rule": {"share": 0.3}}, "relabel.on": True, "empty": {}, "list": [{"a": 1}]}
    before = copy.deepcopy(tree)
    flat = {"relabel.epoch": 2, "relabel.rule.share": 0.3, "relabel.on": True, "empty": {}, "list": [{"a": 1}]}
    assert dotted.flatten(tree) == flat and dotted.flatten(flat) == flat
    nested = dotted.nest(tree)
    assert nested["relabel"] == {"epoch": 2, "rule": {"share": 0.3}, "on": True}
    nested["empty"]["x"] = nested["relabel"]["x"] = 1
    assert tree == before


def test_a_key_as_a_part_and_dotted_is_given_twice():
    for act in (dotted.flatten, dotted.nest):
        with pytest.raises(UserError, match="setting 'a.b.c' is given twice"):
            act({"a": {"b.c": 1}, "a.b": {"c": 1}})


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
