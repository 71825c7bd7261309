"""How a file is cut into parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.uploads import MOST_PARTS, Staging, UploadId, part_size

USUAL = 16 << 20


@given(size=st.integers(0, 5 << 40))
def test_the_parts_of_a_file_are_its_bytes_and_at_most_ten_thousand(size: int) -> None:
    staging = Staging(UploadId("upl_"), size, part_size(size, USUAL))
    assert staging.part_bytes >= USUAL
    assert staging.parts <= MOST_PARTS
    ends = (1, 2, staging.parts - 1, staging.parts)
    assert all(
        0 < staging.size_of(n) <= staging.part_bytes for n in ends if 1 <= n <= staging.parts
    )
    if staging.parts:
        before_last = (staging.parts - 1) * staging.part_bytes
        assert before_last + staging.size_of(staging.parts) == size
    for number in (0, -1, staging.parts + 1):
        with pytest.raises(NotFound):
            staging.size_of(number)
