"""Test the line that says how many clusters need more volunteers."""

from polyframe.core.estimation import unsure_lines


def test_clusters_that_need_more_volunteers() -> None:
    rest = "more volunteers for an expected IoU of 0.95 (of those with 3 to 500 marks)"
    assert unsure_lines(7, 36) == [f"7 of 36 clusters need {rest}"]
    assert unsure_lines(1, 36) == [f"1 of 36 clusters needs {rest}"]
    assert unsure_lines(0, 36) == [f"0 of 36 clusters need {rest}"]
    assert unsure_lines(0, 0) == []
