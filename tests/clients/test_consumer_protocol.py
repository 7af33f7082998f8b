"""Groups of the consumer protocol (KIP-848): the coordinator assigns, by heartbeats alone. The Java client 4.1 and librdkafka 2.16."""
import pytest

from clients import BY_NAME, Driver
from cluster import Cluster, wait_for
from test_clients import Members, send, values

PARTITIONS = 6
PROPERTIES = {"offsets.topic.num.partitions": 4, "auto.create.topics.enable": "false", "num.network.threads": 2,
              "group.consumer.min.heartbeat.interval.ms": 100, "group.consumer.heartbeat.interval.ms": 300,
              "group.consumer.min.session.timeout.ms": 1000, "group.consumer.session.timeout.ms": 10000}
SPEAKERS = [BY_NAME["confluent-2.16"], BY_NAME["java-4.1"]]
every_speaker = pytest.mark.parametrize("client", SPEAKERS, ids=lambda c: c.name)


@pytest.fixture(scope="module")
def server(zookeeper, tmp_path_factory):
    """A broker whose members beat quickly; one that may be killed."""
    cluster = Cluster(zookeeper, tmp_path_factory.mktemp("kip848"), chroot="/kip848")
    yield cluster.start_broker(1, PROPERTIES)
    cluster.stop_all()


@pytest.fixture(scope="module")
def speaker(server, tmp_path_factory):
    """speaker(name): the driver process of a client at this broker."""
    running, logs = {}, tmp_path_factory.mktemp("kip848-drivers")

    def driver(name):
        if name not in running or running[name].popen.poll() is not None:
            running[name] = Driver(BY_NAME[name], server.bootstrap, logs / f"{name}.log")
        return running[name]
    yield driver
    for d in running.values():
        d.close()


@pytest.fixture(autouse=True)
def not_yet():
    """In place of the shared broker's check."""


@pytest.fixture
def ours(speaker):
    return speaker("confluent-1.7")


@pytest.fixture
def members(ours, unique):
    ours.create_topic(topic=unique, partitions=PARTITIONS)
    group = Members(unique, unique, PARTITIONS)
    yield group
    for name in list(group.of):
        group.leave(name)


@every_speaker
def test_members_share_and_commit(client, speaker, ours, members, unique):
    """Two members share, one goes and the other takes over; commits of a member epoch outlive it."""
    driver = speaker(client.name)
    members.join("a", driver, protocol="consumer")
    members.wait_shared("a")
    send(ours, unique, values("first"), PARTITIONS)
    members.wait_read(values("first"))
    members.commit("a")
    members.join("b", driver, protocol="consumer")
    members.wait_shared("a", "b")
    send(ours, unique, values("second"), PARTITIONS)
    members.read = []
    members.wait_read(values("second"))
    members.commit("a")
    members.commit("b")
    assert ours.committed(group=unique, topic=unique, partitions=list(range(PARTITIONS)))["offsets"] == [20] * PARTITIONS
    members.leave("a")
    members.wait_shared("b")


@every_speaker
def test_new_partitions_and_topics_come_by_expression(client, speaker, ours, unique):
    driver = speaker(client.name)
    prefix = unique.replace(".", "-")
    ours.create_topic(topic=f"{prefix}-one", partitions=2)
    ours.create_topic(topic=f"other-{prefix}-one", partitions=2)
    driver.join(member=unique, group=unique, topics=[f"^{prefix}-.*"], protocol="consumer")

    def has(*wanted):
        state = driver.member(member=unique)
        assert not state.get("failure"), state["failure"]
        return sorted(map(tuple, state["assignment"])) == sorted(wanted)
    one = [(f"{prefix}-one", 0), (f"{prefix}-one", 1)]
    wait_for("the topic that matches", lambda: has(*one), 30, 0.1)
    ours.create_topic(topic=f"{prefix}-two", partitions=1)
    wait_for("the next topic", lambda: has(*one, (f"{prefix}-two", 0)), 30, 0.1)
    ours.create_partitions(topic=f"{prefix}-one", count=3)
    wait_for("another partition", lambda: has(*one, (f"{prefix}-one", 2), (f"{prefix}-two", 0)), 30, 0.1)
    driver.leave(member=unique)


@every_speaker
def test_static_members_come_back_to_what_they_had(client, speaker, members):
    driver = speaker(client.name)
    members.join("a", driver, protocol="consumer", instance="first")
    members.join("b", driver, protocol="consumer", instance="second")
    members.wait_shared("a", "b")
    before = {name: sorted(members.assignment(name)) for name in ("a", "b")}
    rebalances = members.look()["b"]["rebalances"]
    members.leave("a")
    members.join("a", driver, protocol="consumer", instance="first")
    members.wait_shared("a", "b")
    assert {name: sorted(members.assignment(name)) for name in ("a", "b")} == before
    assert members.look()["b"]["rebalances"] == rebalances


def test_both_clients_share_a_group_over_a_crash_of_the_broker(server, speaker, ours, members, unique):
    """kill -9 while both are members: they go on with what they had, and nothing committed is lost."""
    for client in SPEAKERS:
        members.join(client.name, speaker(client.name), protocol="consumer")
    names = [c.name for c in SPEAKERS]
    members.wait_shared(*names)
    send(ours, unique, values("before"), PARTITIONS)
    members.wait_read(values("before"))
    for name in names:
        members.commit(name)
    held = {name: sorted(members.assignment(name)) for name in names}
    described = server.correio("group", "describe", unique, "--json").json()
    assert described["state"] == "Stable" and sorted(o["committed_offset"] for o in described["offsets"]) == [10] * PARTITIONS
    server.kill()
    server.start()
    wait_for("the committed offsets", lambda: ours.committed(
        group=unique, topic=unique, partitions=list(range(PARTITIONS)))["offsets"] == [10] * PARTITIONS, 30)
    members.read = []
    send(ours, unique, values("after"), PARTITIONS)
    members.wait_read(values("after"))
    assert {name: sorted(members.assignment(name)) for name in names} == held
    assert "groups_loaded" in server.output()


def test_an_empty_group_changes_its_protocol(speaker, ours, members, unique):
    """Classic, then consumer, then classic again: the offsets stay."""
    driver = speaker("java-4.1")
    send(ours, unique, values("some"), PARTITIONS)
    for protocol in ("classic", "consumer", "classic"):
        members.read = []
        members.join("a", driver, protocol=protocol)
        members.wait_shared("a")
        if protocol == "classic" and not members.read:
            members.look()
        if protocol == "consumer":
            send(ours, unique, values("more"), PARTITIONS)
            members.wait_read(values("more"))
        elif ours.committed(group=unique, topic=unique, partitions=[0])["offsets"] == [-1]:
            members.wait_read(values("some"))
        members.commit("a")
        members.leave("a")
    assert ours.committed(group=unique, topic=unique, partitions=list(range(PARTITIONS)))["offsets"] == [20] * PARTITIONS
