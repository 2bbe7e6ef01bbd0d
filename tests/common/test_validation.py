import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from common.validation import Problem


class Schedule(BaseModel):
    model_config = ConfigDict(extra="forbid")
    gamma: float = Field(0.9, gt=0)

    @field_validator("gamma")
    @classmethod
    def _not_one(cls, value):
        if value == 1:
            raise ValueError("A factor of one changes nothing")
        return value


class Recipe(BaseModel):
    schedule: Schedule = Schedule()


def problem(schedule):
    with pytest.raises(ValidationError) as error:
        Recipe.model_validate({"schedule": schedule})
    return Problem.of(error.value)


def test_a_problem_names_the_place_and_what_the_value_must_be():
    found = problem({"gamma": -1})
    assert str(found) == "schedule.gamma: must be greater than 0"
    assert (found.value, found.unknown) == (-1, False)


def test_a_validators_own_words_come_without_pydantics():
    assert problem({"gamma": 1}).reason == "a factor of one changes nothing"


def test_of_a_whole_value_the_reason_stands_alone():
    assert str(Problem("", "must be one line", {}, False)) == "must be one line"


def test_an_unknown_key_is_told_apart_from_a_bad_value():
    found = problem({"gama": 0.5})
    assert found.unknown and found.place == "schedule.gama"
