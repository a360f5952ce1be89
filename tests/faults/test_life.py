"""Any sequence of changes whatever: at most one live certificate a title, chains are lines, everything agrees."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import text

from credential.errors import Error
from credential.model import State, status_value
from issuer.batch import cancel
from issuer.issue import finish_chunk, reserve_chunk
from registry.agreement import check_states
from registry.batches import Batch
from registry.history import verify_logged_history
from registry.service_tables import SuccessionKind
from tests.fakes_issuer import MAKER
from tests.faults.faults import issued_house
from tests.issuer.successors import approve_it, change, changed, record_of, slot, submit_successor, versions

FINAL = {State.REVOKED, State.WITHDRAWN}
NAMES = ("张一", "张二", "张三")
TITLES = ("高级工程师", "正高级工程师")


class Life(RuleBasedStateMachine):
    """Two certificates, and whatever persons may try with them; what is refused changes nothing."""

    @initialize()
    def issue(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.house = issued_house(self.folder)
        self.batches: list[Batch] = []
        self.final: set[int] = set()

    def serials(self) -> list[str]:
        with self.house.database.reading() as session:
            return list(session.execute(text("SELECT DISTINCT serial FROM credential ORDER BY serial")).scalars())

    @rule(at=st.integers(0, 5), to=st.sampled_from(State), decision=st.sampled_from(["1号", "2号"]))
    def decide(self, at: int, to: State, decision: str) -> None:
        serials = self.serials()
        try:
            change(self.house, serials[at % len(serials)], to, decision=decision)
        except Error:
            return

    @rule(
        at=st.integers(0, 5),
        name=st.sampled_from(NAMES),
        title=st.sampled_from(TITLES),
        kind=st.sampled_from(SuccessionKind),
    )
    def submit(self, at: int, name: str, title: str, kind: SuccessionKind) -> None:
        serials = self.serials()
        serial = serials[at % len(serials)]
        try:
            batch = submit_successor(
                self.house, serial, changed(record_of(self.house, serial), name=name, title=title), kind=kind
            )
        except Error:
            return
        self.batches.append(batch)

    @precondition(lambda self: self.batches)
    @rule(at=st.integers(0, 5), steps=st.sampled_from(["approve", "reserve", "finish", "run", "cancel"]))
    def go_on(self, at: int, steps: str) -> None:
        house, batch = self.house, self.batches[at % len(self.batches)]
        try:
            if steps == "approve":
                approve_it(house, batch)
            elif steps == "reserve":
                reserve_chunk(house.line, batch.id, 1)
                house.log.sequence(house.clock.now())
            elif steps == "finish":
                finish_chunk(house.line, batch.id, 1)
            elif steps == "run":
                house.engine.run(batch.id, lambda _: None)
            else:
                cancel(house.office, batch.id, person=MAKER, reason="-", now=house.clock.now())
        except Error:
            return

    @invariant()
    def everything_agrees(self) -> None:
        if not hasattr(self, "house"):
            return
        house = self.house
        with house.database.reading() as session:
            check_states(session)
            verify_logged_history(session, house.vault)
            rows = session.execute(
                text("SELECT id, state, live_key, supersedes_id, superseded_by_id FROM credential")
            ).all()
        keys = [row.live_key for row in rows if row.live_key is not None]
        assert len(keys) == len(set(keys))
        revoked = {row.id for row in rows if row.state in FINAL}
        assert revoked >= self.final, "nothing is un-revoked"
        self.final = revoked
        followed = [row.supersedes_id for row in rows if row.supersedes_id is not None]
        assert len(followed) == len(set(followed)), "a chain is a line"
        house.lists.publish(house.clock.now())
        for serial in self.serials():
            found = versions(house, serial)
            good = [one for one in found if one.issued and one.state is State.VALID and one.superseded_by is None]
            assert len(good) <= 1
            for one in found:
                if one.issued:
                    assert slot(house, one) is status_value(one.state, superseded=one.superseded_by is not None)

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self.house.database.close()
            shutil.rmtree(self.folder)


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=12, stateful_step_count=18, deadline=None, suppress_health_check=list(HealthCheck)
)
