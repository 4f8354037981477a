"""A real Kafka broker for tests, and a producer that knows which offset each record gets.

    with Broker() as broker:
        broker.create_topic("events", partitions=4)
        with broker.producer() as producer:
            offset = producer.send("events", 2, b'{"id": 1}', key=b"1")
            producer.flush()
        broker.stop()
        broker.start()  # with its data, at the same address

The broker is deploy/kafka's, in a temporary directory; it always ends with the test. The producer is
librdkafka through ctypes, as neither Python nor Debian comes with a client.
"""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

from cluster import ROOT, DeadlinePassed, wait_until

SCRIPT = ROOT / "deploy/kafka"


def run_script(*arguments, timeout_s=400.0, prefix=()):
    """Runs deploy/kafka, behind the words of `prefix`; its output. Raises if it fails."""
    run = subprocess.run([*prefix, str(SCRIPT), *map(str, arguments)], text=True, timeout=timeout_s,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         check=False)
    if run.returncode != 0:
        raise AssertionError(f"deploy/kafka {' '.join(map(str, arguments))}: exit "
                             f"{run.returncode}\n{run.stdout}{run.stderr}")
    return run.stdout.strip()


class Broker:
    """A broker with its data. `options` are those of `deploy/kafka start`; `prefix` is the command
    that runs it elsewhere, as in a network namespace."""

    def __init__(self, *options, prefix=()):
        self.options = options
        self.prefix = prefix
        self.directory = None
        self.address = None

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="tidemill-kafka-"))
        try:
            self.address = self._run("start", *self.options)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            print(self.log(), flush=True)
        self._end()

    def _end(self):
        try:
            self._run("stop", "--now")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self, command, *arguments):
        return run_script("--dir", self.directory, command, *arguments, prefix=self.prefix)

    def stop(self):
        self._run("stop")

    def start(self):
        """Again, with its data and addresses."""
        self._run("start")

    def address_of(self, listener):
        """Of "plain", "sasl" or "tls": host:port."""
        return self._run("address", listener)

    def log(self, lines=30):
        """The last lines of the broker's log."""
        path = self.directory / "broker.log"
        text = path.read_text(errors="replace").splitlines()[-lines:] if path.exists() else []
        return "\n".join(["--- broker.log", *text])

    # --- topics -----------------------------------------------------------------------------------

    def create_topic(self, name, partitions, wait=True, **settings):
        """Settings are Kafka's, with _ for the dots. `wait`: until all partitions have a leader."""
        self._run("topic", "create", name, "--partitions", partitions,
                  *(f"{key.replace('_', '.')}={value}" for key, value in settings.items()))
        if wait:
            with self.producer() as producer:
                producer.end_offsets(name, partitions)

    def add_partitions(self, name, partitions):
        """`partitions`: how many it shall have."""
        self._run("topic", "add-partitions", name, partitions)

    def delete_topic(self, name):
        self._run("topic", "delete", name)

    def delete_records(self, name, before):
        """`before`: the first offset to be kept, by partition."""
        self._run("topic", "delete-records", name, *(f"{p}:{o}" for p, o in before.items()))

    def group_offsets(self, group, topic):
        """What is committed, by partition, and what is left to read: {partition: (offset, lag)}."""
        found = {}
        for line in self._run("group", "show", group).splitlines():
            fields = line.split()
            if len(fields) >= 6 and fields[0] == group and fields[1] == topic:
                offset, lag = fields[3], fields[5]
                if offset.isdigit():
                    found[int(fields[2])] = (int(offset), int(lag))
        return found

    def producer(self, settings=None):
        return Producer(self.address, settings)


# --- librdkafka -----------------------------------------------------------------------------------

_QUEUE_FULL = -184
_COPY = 2
_CONFIGURED = 0


class _Message(ctypes.Structure):
    """rd_kafka_message_t"""

    _fields_ = [("err", ctypes.c_int), ("rkt", ctypes.c_void_p), ("partition", ctypes.c_int32),
                ("payload", ctypes.c_void_p), ("len", ctypes.c_size_t), ("key", ctypes.c_void_p),
                ("key_len", ctypes.c_size_t), ("offset", ctypes.c_int64),
                ("private", ctypes.c_void_p)]


class _Memory(ctypes.Structure):
    _fields_ = [("ptr", ctypes.c_char_p), ("size", ctypes.c_size_t)]


class _Union(ctypes.Union):
    _fields_ = [("ptr", ctypes.c_void_p), ("i", ctypes.c_int), ("i32", ctypes.c_int32),
                ("i64", ctypes.c_int64), ("mem", _Memory), ("pad", ctypes.c_char * 64)]


class _Argument(ctypes.Structure):
    """rd_kafka_vu_t: one tagged argument of rd_kafka_produceva"""

    _fields_ = [("vtype", ctypes.c_int), ("u", _Union)]


_VTYPE_RKT, _VTYPE_PARTITION, _VTYPE_VALUE, _VTYPE_KEY = 2, 3, 4, 5
_VTYPE_MSGFLAGS, _VTYPE_TIMESTAMP = 7, 8
_ON_DELIVERY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(_Message), ctypes.c_void_p)


def _library():
    handle, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    library = ctypes.CDLL("librdkafka.so.1", use_errno=True)
    for name, result, arguments in (
            ("rd_kafka_conf_new", handle, []),
            ("rd_kafka_conf_set", ctypes.c_int, [handle, text, text, text, size]),
            ("rd_kafka_conf_set_dr_msg_cb", None, [handle, _ON_DELIVERY]),
            ("rd_kafka_new", handle, [ctypes.c_int, handle, text, size]),
            ("rd_kafka_destroy", None, [handle]),
            ("rd_kafka_topic_new", handle, [handle, text, handle]),
            ("rd_kafka_topic_destroy", None, [handle]),
            ("rd_kafka_produce", ctypes.c_int,
             [handle, ctypes.c_int32, ctypes.c_int, text, size, text, size, handle]),
            ("rd_kafka_produceva", handle, [handle, ctypes.POINTER(_Argument), size]),
            ("rd_kafka_error_code", ctypes.c_int, [handle]),
            ("rd_kafka_error_destroy", None, [handle]),
            ("rd_kafka_last_error", ctypes.c_int, []),
            ("rd_kafka_err2str", text, [ctypes.c_int]),
            ("rd_kafka_poll", ctypes.c_int, [handle, ctypes.c_int]),
            ("rd_kafka_flush", ctypes.c_int, [handle, ctypes.c_int]),
            ("rd_kafka_error_string", text, [handle]),
            ("rd_kafka_init_transactions", handle, [handle, ctypes.c_int]),
            ("rd_kafka_begin_transaction", handle, [handle]),
            ("rd_kafka_commit_transaction", handle, [handle, ctypes.c_int]),
            ("rd_kafka_abort_transaction", handle, [handle, ctypes.c_int]),
            ("rd_kafka_query_watermark_offsets", ctypes.c_int,
             [handle, text, ctypes.c_int32, ctypes.POINTER(ctypes.c_int64),
              ctypes.POINTER(ctypes.c_int64), ctypes.c_int])):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Producer:
    """Writes to partitions of the caller's choice, in order, each record once. `settings`:
    librdkafka's, for SASL and TLS, or with transactional.id for transactions."""

    def __init__(self, brokers, settings=None):
        self._lib = _library()
        self._failed = []
        self._on_delivery = _ON_DELIVERY(self._note_failure)
        self._topics = {}
        self._next = {}  # (topic, partition) -> offset of the next record
        self._in_transactions = False
        self._before_transaction = None  # _next when the open one began
        self._client = self._open({
            "bootstrap.servers": brokers, "enable.idempotence": "true", "linger.ms": "20",
            "message.max.bytes": "4000000", "queue.buffering.max.messages": "200000",
            "delivery.report.only.error": "true", "log_level": "2",
            "reconnect.backoff.max.ms": "500", **(settings or {})})

    def _open(self, settings):
        reason = ctypes.create_string_buffer(512)
        conf = self._lib.rd_kafka_conf_new()
        for name, value in settings.items():
            code = self._lib.rd_kafka_conf_set(conf, name.encode(), value.encode(), reason, 512)
            assert code == _CONFIGURED, reason.value.decode()
        self._lib.rd_kafka_conf_set_dr_msg_cb(conf, self._on_delivery)
        client = self._lib.rd_kafka_new(0, conf, reason, 512)
        assert client, reason.value.decode()
        return client

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        for topic in self._topics.values():
            self._lib.rd_kafka_topic_destroy(topic)
        self._lib.rd_kafka_destroy(self._client)

    def _note_failure(self, client, message, opaque):
        self._failed.append((message.contents.partition, self._error(message.contents.err)))

    def _error(self, code):
        return self._lib.rd_kafka_err2str(code).decode()

    def _topic(self, name):
        if name not in self._topics:
            self._topics[name] = self._lib.rd_kafka_topic_new(self._client, name.encode(), None)
        return self._topics[name]

    def end_offset(self, topic, partition):
        """Offset of the next record that will be written there, as the broker says."""
        low, high, code = ctypes.c_int64(), ctypes.c_int64(), ctypes.c_int()

        def answered():
            code.value = self._lib.rd_kafka_query_watermark_offsets(
                self._client, topic.encode(), partition, ctypes.byref(low), ctypes.byref(high),
                5_000)
            return code.value == 0

        # A topic that was only just made, or a broker that was only just started, has no leader.
        try:
            wait_until(answered, f"the end of {topic} {partition} is known", 60, 0.1)
        except DeadlinePassed as passed:
            raise DeadlinePassed(f"{passed}: {self._error(code.value)}") from None
        return high.value

    def end_offsets(self, topic, partitions):
        return [self.end_offset(topic, partition) for partition in range(partitions)]

    def send(self, topic, partition, value, key=None, timestamp_ms=None):
        """Queues a record; the offset it gets, if this is the partition's only writer. `value` None
        is a tombstone. Without a timestamp it is that of now."""
        at = (topic, partition)
        if at not in self._next:
            self._next[at] = self.end_offset(topic, partition)
        while True:
            code = self._produce(topic, partition, value, key, timestamp_ms)
            if code == 0:
                break
            assert code == _QUEUE_FULL, f"produce to {topic}: {self._error(code)}"
            self._lib.rd_kafka_poll(self._client, 100)
        offset = self._next[at]
        self._next[at] = offset + 1
        return offset

    def _produce(self, topic, partition, value, key, timestamp_ms):
        rkt = self._topic(topic)
        size = 0 if value is None else len(value)
        key_size = 0 if key is None else len(key)
        if timestamp_ms is None:
            code = self._lib.rd_kafka_produce(rkt, partition, _COPY, value, size, key, key_size,
                                              None)
            return 0 if code == 0 else self._lib.rd_kafka_last_error()
        arguments = (_Argument * 6)()
        arguments[0].vtype, arguments[0].u.ptr = _VTYPE_RKT, rkt
        arguments[1].vtype, arguments[1].u.i32 = _VTYPE_PARTITION, partition
        arguments[2].vtype, arguments[2].u.mem = _VTYPE_VALUE, _Memory(value, size)
        arguments[3].vtype, arguments[3].u.mem = _VTYPE_KEY, _Memory(key, key_size)
        arguments[4].vtype, arguments[4].u.i = _VTYPE_MSGFLAGS, _COPY
        arguments[5].vtype, arguments[5].u.i64 = _VTYPE_TIMESTAMP, timestamp_ms
        error = self._lib.rd_kafka_produceva(self._client, arguments, len(arguments))
        if not error:
            return 0
        code = self._lib.rd_kafka_error_code(error)
        self._lib.rd_kafka_error_destroy(error)
        return code

    def flush(self, deadline_s=120):
        """Returns when every record is in the log; raises if one is not."""
        code = self._lib.rd_kafka_flush(self._client, int(deadline_s * 1000))
        assert code == 0, f"flush: {self._error(code)}"
        assert not self._failed, f"{len(self._failed)} records were not written: {self._failed[:3]}"
        if self._before_transaction is not None:
            return  # ends are those of what was committed
        for (topic, partition), offset in self._next.items():
            end = self.end_offset(topic, partition)
            assert end == offset, f"{topic} {partition} ends at {end}, {offset} were written"

    # --- transactions -----------------------------------------------------------------------------

    def transaction(self, topic, partition, values, commit=True):
        """One transaction, committed or aborted; each ends with a marker, at an offset of its own."""
        self.begin_transaction()
        for value in values:
            self.send(topic, partition, value)
        self.end_transaction(commit)

    def begin_transaction(self):
        """What is sent from now on is read once the transaction has been committed."""
        if not self._in_transactions:
            self._succeed(self._lib.rd_kafka_init_transactions(self._client, 60_000))
            self._in_transactions = True
        self._succeed(self._lib.rd_kafka_begin_transaction(self._client))
        self._before_transaction = dict(self._next)

    def end_transaction(self, commit=True):
        # What is aborted shall have been in the log.
        self._lib.rd_kafka_flush(self._client, 60_000)
        end = (self._lib.rd_kafka_commit_transaction if commit
               else self._lib.rd_kafka_abort_transaction)
        self._succeed(end(self._client, 60_000))
        for at, offset in self._next.items():
            if offset != self._before_transaction.get(at):
                self._next[at] = offset + 1
        self._before_transaction = None

    def _succeed(self, error):
        if error:
            reason = self._lib.rd_kafka_error_string(error).decode()
            self._lib.rd_kafka_error_destroy(error)
            raise AssertionError(reason)
