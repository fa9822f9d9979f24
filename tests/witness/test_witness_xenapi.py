"""The vendor's client for Python as its examples use it, quirks included: over TLS, verified or not, and plain."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import xmlrpc.client
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import fromstring

import pytest
import XenAPI

from bot.lab.xapi import Datacentre

PASSWORD = "pw"
WAYS = ["verified", "unverified", "plain"]


class Client:
    """Runs functions with a logged-in session, each on a thread of its own as a script would."""

    def __init__(self, datacentre: Datacentre, way: str = "unverified", host: str = "xenserver1") -> None:
        address = datacentre.hosts[host]
        self._url = address.http if way == "plain" else address.https
        self._way = way

    @contextlib.contextmanager
    def _session(self) -> Iterator[Any]:
        if self._way == "verified":
            place = urlsplit(self._url)
            assert place.hostname is not None
            assert place.port is not None
            pem = ssl.get_server_certificate((place.hostname, place.port))
            context = ssl.create_default_context(cadata=pem)
            session = XenAPI.Session(self._url, transport=xmlrpc.client.SafeTransport(context=context))
        else:
            session = XenAPI.Session(self._url, ignore_ssl=self._way == "unverified")
        try:
            yield session
        finally:
            session("close")()

    async def bare(self, work: Callable[[Any], Any]) -> Any:
        """What `work` gives with a session that is not logged in."""

        def go() -> Any:
            with self._session() as session:
                return work(session)

        return await asyncio.to_thread(go)

    async def run(self, work: Callable[[Any], Any]) -> Any:
        """What `work` gives with a logged-in session; it logs out at the end."""

        def go(session: Any) -> Any:
            session.xenapi.login_with_password("root", PASSWORD, "1.0", "witness")
            try:
                return work(session.xenapi)
            finally:
                session.xenapi.session.logout()

        return await self.bare(go)

    async def fail(self, work: Callable[[Any], Any]) -> list[str]:
        """The details of the failure that `work` must come to."""
        with pytest.raises(XenAPI.Failure) as caught:
            await self.run(work)
        details: list[str] = caught.value.details
        return details


@pytest.fixture
def client(datacentre: Datacentre) -> Client:
    return Client(datacentre)


def _only(xenapi: Any, class_name: str, name: str) -> str:
    [ref] = getattr(xenapi, class_name).get_by_name_label(name)
    return str(ref)


@pytest.mark.parametrize("way", WAYS)
async def test_records_have_the_types_this_client_is_known_for(datacentre: Datacentre, way: str) -> None:
    record = await Client(datacentre, way).run(lambda api: api.VM.get_record(_only(api, "VM", "centos54")))
    assert record["memory_static_max"] == str(512 * 1024 * 1024)
    assert isinstance(record["snapshot_time"], xmlrpc.client.DateTime)
    assert record["snapshot_time"].value == "19700101T00:00:00Z"
    assert record["is_a_template"] is False
    assert record["HVM_shadow_multiplier"] == 1.0
    assert record["parent"] == "OpaqueRef:NULL"
    assert (record["tags"], record["blocked_operations"]) == ([], {})


async def test_a_certificate_nobody_vouches_for_is_refused(datacentre: Datacentre) -> None:
    session = XenAPI.Session(datacentre.hosts["xenserver1"].https)
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.to_thread(session.xenapi.login_with_password, "root", PASSWORD)
    session("close")()


async def test_names_of_any_script_and_markup_come_back_as_they_are(client: Client) -> None:
    names = await client.run(lambda api: {record["name_label"] for record in api.VM.get_all_records().values()})
    assert {"日本語サーバー", "<!channel> & *bold*"} <= names


@pytest.mark.parametrize("way", WAYS)
async def test_it_moves_a_guest_by_a_task_that_it_polls(datacentre: Datacentre, way: str) -> None:
    def move(api: Any) -> tuple[dict[str, Any], str]:
        guest, host = _only(api, "VM", "centos54"), _only(api, "host", "xenserver3")
        task = api.Async.VM.pool_migrate(guest, host, {"live": "true"})
        while api.task.get_status(task) == "pending":
            api.event_from([f"task/{task}"], "", 1.0)
        record = api.task.get_record(task)
        api.task.destroy(task)
        return record, api.host.get_name_label(api.VM.get_resident_on(guest))

    record, where = await Client(datacentre, way).run(move)
    assert (record["status"], record["result"], where) == ("success", "<value></value>", "xenserver3")
    assert record["progress"] == 1.0
    assert record["finished"].value >= record["created"].value > "2020"


async def test_it_moves_a_guest_by_a_call_that_blocks(client: Client) -> None:
    def move(api: Any) -> str:
        guest = _only(api, "VM", "centos54")
        assert api.VM.pool_migrate(guest, _only(api, "host", "xenserver3"), {}) == ""
        return str(api.host.get_name_label(api.VM.get_resident_on(guest)))

    assert await client.run(move) == "xenserver3"


async def test_what_a_task_found_is_in_its_result_as_xml(client: Client) -> None:
    def ask(api: Any) -> str:
        task = api.Async.VM.get_possible_hosts(_only(api, "VM", "centos54"))
        while api.task.get_status(task) == "pending":
            api.event_from([f"task/{task}"], "", 1.0)
        return str(api.task.get_result(task))

    result = await client.run(ask)
    [hosts], _ = xmlrpc.client.loads(f"<params><param>{result}</param></params>")
    assert sorted(hosts) == sorted(await client.run(lambda api: api.host.get_all()))


async def test_what_a_task_made_is_the_reference_in_its_result(client: Client) -> None:
    def snapshot(api: Any) -> tuple[str, str, bool]:
        guest = _only(api, "VM", "centos54")
        task = api.Async.VM.snapshot(guest, "before the upgrade")
        while api.task.get_status(task) == "pending":
            api.event_from([f"task/{task}"], "", 1.0)
        [made], _ = xmlrpc.client.loads(f"<params><param>{api.task.get_result(task)}</param></params>")
        api.task.destroy(task)
        record = api.VM.get_record(made)
        return record["name_label"], record["snapshot_of"] == guest and record["power_state"], record["is_a_snapshot"]

    assert await client.run(snapshot) == ("before the upgrade", "Halted", True)


async def test_a_guest_is_cloned_changed_and_destroyed(client: Client) -> None:
    def clone(api: Any) -> list[str]:
        guest = _only(api, "VM", "centos54")
        api.VM.hard_shutdown(guest)
        copy = api.VM.clone(guest, "copy")
        api.VM.set_name_description(copy, "made by a script")
        described = api.VM.get_name_description(copy)
        disks = [api.VBD.get_VDI(vbd) for vbd in api.VM.get_VBDs(copy) if api.VBD.get_type(vbd) == "Disk"]
        api.VM.destroy(copy)
        for disk in disks:
            api.VDI.destroy(disk)
        with pytest.raises(XenAPI.Failure) as caught:
            api.VM.get_record(copy)
        return [described, *caught.value.details[:2]]

    assert await client.run(clone) == ["made by a script", "HANDLE_INVALID", "VM"]


async def test_a_host_is_emptied_for_maintenance_and_taken_back(roomy: Datacentre) -> None:
    def maintain(api: Any) -> tuple[int, list[str], bool]:
        host = _only(api, "host", "host002")
        before = len(api.host.get_resident_VMs(host))
        api.host.disable(host)
        api.host.evacuate(host)
        left = [vm for vm in api.host.get_resident_VMs(host) if not api.VM.get_is_control_domain(vm)]
        api.host.enable(host)
        return before, left, api.host.get_enabled(host)

    before, left, enabled = await Client(roomy, host="host001").run(maintain)
    assert (before, left, enabled) == (4, [], True)


async def test_the_queue_of_older_scripts_still_delivers(client: Client) -> None:
    def watch(api: Any) -> list[dict[str, Any]]:
        api.event.register(["vm"])
        api.VM.set_name_description(_only(api, "VM", "centos54"), "queued")
        events: list[dict[str, Any]] = api.event.next()
        api.event.unregister(["vm"])
        return events

    [event] = await client.run(watch)
    assert (event["class"], event["operation"], event["snapshot"]["name_description"]) == ("vm", "mod", "queued")


async def test_the_details_of_a_failure_are_its_code_and_parameters(client: Client) -> None:
    def start(api: Any) -> None:
        api.VM.start(_only(api, "VM", "centos54"), False, False)

    guest = await client.run(lambda api: _only(api, "VM", "centos54"))
    code, *params = await client.fail(start)
    assert code == "VM_BAD_POWER_STATE"
    assert params[0] == guest
    assert [text.lower() for text in params[1:]] == ["halted", "running"]


async def test_a_failed_task_has_the_details_in_its_record(client: Client) -> None:
    def move(api: Any) -> tuple[str, list[str]]:
        guest, host = _only(api, "VM", "web-local"), _only(api, "host", "xenserver3")
        task = api.Async.VM.pool_migrate(guest, host, {})
        while api.task.get_status(task) == "pending":
            api.event_from([f"task/{task}"], "", 1.0)
        return api.task.get_status(task), api.task.get_error_info(task)

    status, details = await client.run(move)
    assert (status, details[0]) == ("failure", "VM_REQUIRES_SR")


async def test_whole_numbers_go_as_text(client: Client) -> None:
    def widen(api: Any) -> str:
        guest = _only(api, "VM", "centos54")
        api.VM.hard_shutdown(guest)
        gib = str(1 << 30)
        api.VM.set_memory_limits(guest, str(16 << 20), gib, gib, gib)
        return str(api.VM.get_memory_static_max(guest))

    assert await client.run(widen) == str(1 << 30)
    with pytest.raises(OverflowError):  # the library's own limit, before anything is sent
        await client.run(lambda api: api.VM.set_memory_static_max(_only(api, "VM", "centos54"), 1 << 33))


async def test_events_come_by_the_name_that_python_can_spell(client: Client) -> None:
    def watch(api: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        first = api.event_from(["vm", "task"], "", 5.0)
        task = api.task.create("watched", "by a test")
        added = api.event_from(["task"], first["token"], 5.0)
        api.task.set_status(task, "success")
        api.task.destroy(task)
        gone = api.event_from(["task"], added["token"], 5.0)
        return first, added, gone

    first, added, gone = await client.run(watch)
    assert {event["class"] for event in first["events"]} == {"vm"}
    assert {event["operation"] for event in first["events"]} == {"add"}
    [event] = added["events"]
    assert (event["class"], event["operation"], event["snapshot"]["name_label"]) == ("task", "add", "watched")
    [event] = gone["events"]
    assert (event["operation"], "snapshot" in event) == ("del", False)
    assert gone["valid_ref_counts"]["vm"] == first["valid_ref_counts"]["vm"] == len(first["events"])


async def test_underscores_stand_for_dots(client: Client) -> None:
    both = await client.run(lambda api: (api.VM_get_all(), api.VM.get_all()))
    assert both[0] == both[1]


async def test_records_are_searched_at_the_server(client: Client) -> None:
    found = await client.run(
        lambda api: api.VM.get_all_records_where('field "name__label" = "centos54" and field "is_a_template" = "false"')
    )
    assert [record["name_label"] for record in found.values()] == ["centos54"]


async def test_it_logs_in_again_by_itself_and_repeats_the_call(datacentre: Datacentre, client: Client) -> None:
    loop = asyncio.get_running_loop()

    def outlive(session: Any) -> tuple[str, str, int]:
        session.xenapi.login_with_password("root", PASSWORD)
        before = session.handle
        asyncio.run_coroutine_threadsafe(datacentre.do({"do": "expire_sessions"}), loop).result()
        hosts = session.xenapi.host.get_all()
        return before, session.handle, len(hosts)

    before, after, hosts = await client.bare(outlive)
    assert before != after
    assert hosts == 2


async def test_it_does_not_follow_to_the_coordinator_but_is_told_where(datacentre: Datacentre) -> None:
    with pytest.raises(XenAPI.Failure) as caught:
        await Client(datacentre, host="xenserver3").run(lambda api: api.VM.get_all())
    assert caught.value.details == ["HOST_IS_SLAVE", datacentre.hosts["xenserver1"].address]


async def test_a_wrong_password_is_a_failure_and_leaves_no_session(client: Client) -> None:
    def login(session: Any) -> None:
        session.login_with_password("root", "wrong")

    with pytest.raises(XenAPI.Failure) as caught:
        await client.bare(login)
    assert caught.value.details[0] == "SESSION_AUTHENTICATION_FAILED"


async def test_logging_out_ends_the_session_at_the_server(datacentre: Datacentre, client: Client) -> None:
    def leave(session: Any) -> str:
        session.xenapi.login_with_password("root", PASSWORD)
        handle: str = session.handle
        session.xenapi.session.logout()
        assert session.handle is None
        return handle

    handle = await client.bare(leave)
    answer = await client.bare(lambda session: session.VM.get_all(handle))
    assert answer == {"Status": "Failure", "ErrorDescription": ["SESSION_INVALID", handle]}


async def test_it_works_out_the_version_of_the_api(client: Client) -> None:
    def ask(session: Any) -> str:
        session.xenapi.login_with_password("root", PASSWORD)
        return str(session.API_version)

    major, _, minor = (await client.bare(ask)).partition(".")
    assert int(major) == 2
    assert int(minor) >= 15


async def test_map_entries_are_added_once_and_removed(client: Client) -> None:
    def edit(api: Any) -> dict[str, str]:
        guest = _only(api, "VM", "centos54")
        api.VM.remove_from_other_config(guest, "owner")
        api.VM.add_to_other_config(guest, "owner", "web team")
        with pytest.raises(XenAPI.Failure) as caught:
            api.VM.add_to_other_config(guest, "owner", "another")
        assert caught.value.details == ["MAP_DUPLICATE_KEY", "VM", "other_config", guest, "owner"]
        found: dict[str, str] = api.VM.get_other_config(guest)
        return found

    assert (await client.run(edit))["owner"] == "web team"


async def test_a_guest_goes_down_and_up_again(client: Client) -> None:
    def cycle(api: Any) -> list[str]:
        guest = _only(api, "VM", "centos54")
        states = []
        for step in (
            lambda: api.VM.suspend(guest),
            lambda: api.VM.resume(guest, False, False),
            lambda: api.VM.clean_reboot(guest),
            lambda: api.VM.hard_shutdown(guest),
            lambda: api.VM.start(guest, False, False),
        ):
            step()
            states.append(api.VM.get_power_state(guest))
        return states

    assert await client.run(cycle) == ["Suspended", "Running", "Running", "Halted", "Running"]


async def test_a_kept_connection_that_the_server_cut_is_opened_again(datacentre: Datacentre, client: Client) -> None:
    loop = asyncio.get_running_loop()

    def outlive(session: Any) -> int:
        session.xenapi.login_with_password("root", PASSWORD)
        asyncio.run_coroutine_threadsafe(datacentre.do({"do": "kill_host", "host": "xenserver1"}), loop).result()
        asyncio.run_coroutine_threadsafe(datacentre.do({"do": "start_host", "host": "xenserver1"}), loop).result()
        while True:
            try:
                return len(session.xenapi.host.get_all())
            except OSError:
                continue  # the toolstack is not up yet
            except XenAPI.Failure as failure:
                assert failure.details == ["HOST_STILL_BOOTING"]  # noqa: PT017  every other failure is one

    assert await client.bare(outlive) == 2


async def test_storage_is_probed_and_made_as_its_examples_do(client: Client) -> None:
    """Exports from the failure of a probe without a path, repositories from the XML of one with it, then made."""
    server = {"server": "nfsserver"}
    host = await client.run(lambda xenapi: _only(xenapi, "host", "xenserver1"))
    code, _, _, told = await client.fail(lambda xenapi: xenapi.SR.probe(host, server, "nfs", {}))
    assert code == "SR_BACKEND_FAILURE_101"
    # S314: both texts are of the lab that this test started.
    paths = [one.text for one in fromstring(told).iter("Path")]  # noqa: S314  see above
    assert paths == ["/home/test", "/home/second", "/home/images", "/home/old"]
    config = {**server, "serverpath": "/home/second"}
    made = await client.run(
        lambda xenapi: xenapi.SR.create(host, config, "0", "second", "", "nfs", "user", True, {"nosubdir": "false"})
    )
    uuid = await client.run(lambda xenapi: xenapi.SR.get_uuid(made))
    found = await client.run(lambda xenapi: xenapi.SR.probe(host, config, "nfs", {}))
    assert [one.text for one in fromstring(found).iter("UUID")] == [uuid]  # noqa: S314  see above
