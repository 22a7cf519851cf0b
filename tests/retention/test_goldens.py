"""Each folder of `goldens`: its policy and its state give its plan, to the letter."""

import json

import pytest

from tests.retention.golden_cases import Case, cases


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.path.name)
def test_a_policy_and_a_state_give_the_plan_of_the_folder(case: Case) -> None:
    assert case.text == (case.path / "plan.txt").read_text()
    assert case.value == json.loads((case.path / "plan.json").read_text())
