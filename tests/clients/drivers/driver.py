"""What the Python drivers share: a command per line on stdin, an answer per line on stdout (see ../README.md)."""
import json
import sys
import threading
import traceback


def serve(make):
    """make(bootstrap, settings) gives the object whose methods are the commands."""
    bootstrap, settings = sys.argv[1], json.loads(sys.argv[2])
    driver = make(bootstrap, settings)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(driver, command.pop("op"))(**command) or {}
        except Exception as error:  # whatever the client raises is an answer
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}", "code": code_of(error)}
        print(json.dumps(answer), flush=True)


def code_of(error):
    """Kafka's error code, where the client's exception tells it."""
    if error.args and hasattr(error.args[0], "code"):
        return error.args[0].code()
    return getattr(error, "errno", None)


def text(data):
    return None if data is None else bytes(data).decode()


def data(string):
    return None if string is None else string.encode()


class Member(threading.Thread):
    """A member of a group that polls by itself. Subclasses have open(), poll_once() -> records, commit_now(), close()."""

    def __init__(self, **options):
        super().__init__(daemon=True)
        self.options = options
        self.lock = threading.Lock()
        self.assignment, self.records, self.rebalances, self.failure = [], [], 0, None
        self.orders, self.over = [], False
        self.start()

    def run(self):
        try:
            self.open()
            while not self.over:
                got = self.poll_once()
                with self.lock:
                    self.records += got
                    orders, self.orders = self.orders, []
                for call, done in orders:
                    try:
                        done["answer"] = call() or {}
                    except Exception as error:
                        done["failure"] = f"{type(error).__name__}: {error}"
                    finally:
                        done["event"].set()
            self.close()
        except Exception as error:
            traceback.print_exc()
            self.failure = f"{type(error).__name__}: {error}"

    def assigned(self, partitions):
        self.assignment = sorted(partitions)
        self.rebalances += 1

    def ask(self, call):
        """Runs call on the polling thread, between two polls."""
        done = {"event": threading.Event()}
        with self.lock:
            self.orders.append((call, done))
        if not done["event"].wait(20):
            raise TimeoutError(f"the member does not poll; {self.failure}")
        if "answer" not in done:
            raise RuntimeError(done["failure"])
        return done["answer"]

    def state(self):
        with self.lock:
            records, self.records = self.records, []
        return {"assignment": self.assignment, "rebalances": self.rebalances, "records": records, "failure": self.failure}

    def leave(self):
        self.over = True
        self.join(30)
        if self.is_alive():
            raise TimeoutError("the member does not close")
        return {"failure": self.failure}


class Members:
    """The commands about members, for drivers whose member_type is a Member."""
    member_type = None

    def __init__(self):
        self.members = {}

    def join(self, member, **options):
        self.members[member] = self.member_type(driver=self, **options)

    def member(self, member):
        return self.members[member].state()

    def commit(self, member):
        return self.members[member].ask(self.members[member].commit_now)

    def leave(self, member):
        return self.members.pop(member).leave()
