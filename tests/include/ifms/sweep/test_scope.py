"""Which part of the work a sweep takes."""

from datetime import UTC, datetime, timedelta

import pytest

from ifms.errors import BadInputError
from ifms.platform.masterdata import MasterData
from ifms.platform.models import City
from ifms.sweep.scope import Scope

MASTER = MasterData(
    cities=tuple(City.model_validate({"code": f"od.sample{letter}", "name": letter}) for letter in "abcde"),
    heads=(),
    head_codes={},
    units={},
)
DAY = datetime(2024, 6, 1, tzinfo=UTC)


def test_shards_share_the_cities_without_overlap():
    shares = [Scope(shard=shard, shards=2).cities(MASTER) for shard in range(2)]
    assert sorted(shares[0] + shares[1]) == [city.tenant_id for city in MASTER.cities]
    assert not set(shares[0]) & set(shares[1])


def test_only_the_cities_that_were_asked_for():
    assert Scope(tenants=("od.sampleb", "od.samplea")).cities(MASTER) == ["od.samplea", "od.sampleb"]


def test_an_unknown_city_is_refused_by_name():
    with pytest.raises(BadInputError, match=r"od\.nowhere"):
        Scope(tenants=("od.nowhere",)).cities(MASTER)


@pytest.mark.parametrize(("shard", "shards"), [(1, 1), (-1, 2), (0, 0)])
def test_a_shard_that_is_none_is_refused(shard, shards):
    with pytest.raises(BadInputError, match="shard"):
        Scope(shard=shard, shards=shards)


def test_a_period_that_ends_before_it_starts_is_refused():
    with pytest.raises(BadInputError, match="ends before it starts"):
        Scope(since=DAY, until=DAY)


def test_a_period_includes_its_start_and_not_its_end():
    scope = Scope(since=DAY, until=DAY + timedelta(days=1))
    assert scope.covers(DAY)
    assert not scope.covers(DAY + timedelta(days=1))
    assert not scope.covers(DAY - timedelta(microseconds=1))
    assert Scope().covers(DAY)


def test_a_scope_of_no_pi_is_no_scope_of_all():
    assert Scope().narrowing == {"pi_numbers": None, "payments": None}
    assert Scope(pi_numbers=(), payments=("EP/1",)).narrowing == {"pi_numbers": [], "payments": ["EP/1"]}


@pytest.mark.parametrize(
    ("batch", "shards", "share"), [(64, 1, 64), (64, 3, 21), (64, 100, 8), (4, 1, 4), (4, 4, 4), (8, 2, 8)]
)
def test_of_a_batch_a_shard_claims_its_share_so_that_a_short_queue_is_for_all(batch, shards, share):
    assert Scope(shards=shards).share(batch) == share
