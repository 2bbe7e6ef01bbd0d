import pytest

import methods
from common.errors import UserError
from methods.core.relabel import Relabel
from methods.core.settings import describe, settings_of


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("rul", {"vriant": 1}, "unknown setting 'rul.vriant' (did you mean 'rul.variant'?); valid: rul.dimension, "),
        ("scn", {"relabel": {"epoc": 1}}, "unknown setting 'scn.relabel.epoc' (did you mean 'scn.relabel.epoch'?)"),
        ("rul", {"dropout": 2}, "rul.dropout = 2: must be less than 1"),
        ("rul", {"dropout": float("nan")}, "rul.dropout = nan: must be a finite number"),
        ("rul", {"variant": "x"}, "rul.variant = 'x': must be 'paper' or 'released'"),
        ("rul", {"dropout": "abc"}, "rul.dropout = 'abc': must be a valid number"),
        ("scn", {"relabel": {"share": 0}}, "scn.relabel.share = 0: must be greater than 0"),
        ("scn", {"relabel": 3}, "scn.relabel = 3: must be "),
        ("manifold_mixup", {"layers": [7]}, "manifold_mixup.layers.0 = 7: must be less than or equal to 2"),
        ("rl", {}, "unknown method 'rl' (did you mean 'rul'?)"),
    ],
)
def test_bad_settings_are_one_line(name, values, message):
    with pytest.raises(UserError) as error:
        methods.create(name, 7, "small", **values)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_values_may_come_as_text():
    config = methods.validate_config(
        "rul", methods.METHODS.load("rul"), {"dropout": "0.2", "relabel": {"enabled": "true"}}
    )
    assert config.dropout == 0.2 and config.relabel.enabled is True


def test_one_nested_setting_leaves_the_others():
    """SCN relabels by default; changing the threshold must not switch that off."""
    SCN = methods.METHODS.load("scn")
    for config in (
        methods.validate_config("scn", SCN, {"relabel": {"threshold": 0.3}}),
        SCN.Config(relabel={"threshold": 0.3}),
    ):
        assert config.relabel == Relabel(enabled=True, threshold=0.3)


def test_a_dumped_configuration_loads_again():
    for name in methods.METHODS:
        cls = methods.METHODS.load(name)
        config = cls.Config()
        assert methods.validate_config(name, cls, config.model_dump(mode="json")) == config


def test_every_setting_says_what_it_is_and_where_it_comes_from():
    for name in methods.METHODS:
        for row in settings_of(name):
            assert row.description and row.source, f"{name}.{row.name}"


def test_description_of_a_method():
    text = describe("scn")
    assert "CVPR 2020" in text
    assert "scn.relabel.enabled    true" in text  # the default that holds here, not the component's own
    assert "(low | all)" in text and "0.15" in text
    with pytest.raises(UserError, match="unknown method"):
        describe("sccn")


def test_paper_defaults():
    rul = methods.METHODS.load("rul").Config()
    assert (rul.dimension, rul.dropout, rul.variant) == (64, 0.4, "paper")
    assert (rul.relabel.share, rul.relabel.threshold, rul.relabel.epoch) == (0.3, 0.2, 10)
    scn = methods.METHODS.load("scn").Config()
    assert (scn.beta, scn.margin, scn.gamma, scn.loss_weights, scn.relabel_group) == (0.7, 0.15, 0.5, "paper", "low")
    conf = methods.METHODS.load("conf").Config()
    assert (conf.budget, conf.initial_weight, conf.hint_share) == (0.3, 0.1, 0.5)
    assert methods.METHODS.load("dul").Config().kl_weight == 0.01
    assert methods.METHODS.load("eac").Config().consistency_weight == 5
