"""News reach a webhook and a topic of SNS; what was told before is no news."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
from moto import mock_aws

from nitro.bench.notify import (
    Channel,
    channels,
    check_url,
    forget,
    publish,
    send,
    webhook,
    worth_telling,
)
from nitro.bench.store import FolderStore
from nitro.cloud import Cloud
from nitro.errors import InputError, NitroError
from tests.cloud.policed import granted
from tests.unit.bench.samples import NIGHT
from tests.unit.bench.test_summary import BAD, step, verdict


class Receiver(HTTPServer):
    """Keeps what it gets and answers with `status`."""

    status = 200

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.bodies = []


@pytest.fixture
def receiver():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            size = int(self.headers["Content-Length"])
            server.bodies.append(json.loads(self.rfile.read(size)))
            self.send_response(server.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = Receiver(Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_webhook_gets_words_and_data(receiver):
    webhook(f"http://127.0.0.1:{receiver.server_port}/x", [BAD])
    assert receiver.bodies[0]["verdicts"] == [BAD.to_json()]
    assert receiver.bodies[0]["text"].startswith("## small")


def test_a_webhook_that_refuses_is_an_error(receiver):
    receiver.status = 500
    with pytest.raises(NitroError, match=r"did not take the verdict.*500"):
        webhook(f"http://127.0.0.1:{receiver.server_port}/", [BAD])


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "https://",
        "http://[::1",
        "http://x:99999/",
        "http://x:y/",
        "http://a b/",
        "http://a\n/",
        "https:/x",
    ],
)
def test_only_web_addresses_are_webhooks(url):
    with pytest.raises(InputError, match="not a web address"):
        check_url(url)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"hello\r\n\r\n", "hello"),
        (b"", "closed connection"),
        (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n", "302"),
        (b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:9/\r\n\r\n", "307"),
    ],
)
def test_what_is_no_answer_is_no_yes(answer, says):
    """Nor is a redirection: the verdict does not come along."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            for said in (answer, b"HTTP/1.1 200 OK\r\n\r\n"):
                client = server.accept()[0]
                # What is not read before the connection closes would reset it.
                with client.makefile("rb") as request:
                    request.readline()
                    headers = http.client.parse_headers(request)
                    request.read(int(headers.get("Content-Length", 0)))
                client.sendall(said)
                client.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(NitroError, match=says) as told:
            webhook(f"http://127.0.0.1:{server.getsockname()[1]}/", [BAD])
        assert "\n" not in told.value.what
        with socket.create_connection(server.getsockname()):
            pass  # ends the thread
        thread.join(60)


@pytest.mark.extended
def test_a_topic_gets_a_subject_that_sns_takes():
    with mock_aws():
        with granted("bench"):
            cloud = Cloud.connect(region="eu-west-1", endpoint_url=None)
        topic = cloud.sns.create_topic(Name="nights")["TopicArn"]
        queue = boto3.client("sqs", "eu-west-1").create_queue(QueueName="q")["QueueUrl"]
        cloud.sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:eu-west-1:123456789012:q"
        )
        publish(cloud, topic, [replace(BAD, plan="ä" * 120)])
        got = boto3.client("sqs", "eu-west-1").receive_message(QueueUrl=queue)["Messages"][0]
    message = json.loads(got["Body"])
    assert message["Subject"] == "?" * 100
    assert message["Message"].startswith("## ä")


class Listener:
    """A channel that keeps what it gets, and refuses so often."""

    def __init__(self, name, refuses=0):
        self.got, self.refuses = [], refuses
        self.channel = Channel(name, self.take)

    def take(self, verdicts):
        if self.refuses:
            self.refuses -= 1
            raise NitroError("not today")
        self.got.append(verdicts)


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path)


@pytest.mark.parametrize("order", [1, -1])
def test_who_took_the_news_is_not_told_again_because_another_refused(store, order):
    good, bad = Listener("good"), Listener("bad", refuses=2)
    to = [good.channel, bad.channel][::order]
    news = verdict(new=(step(),), failed=BAD.failed)
    for _ in range(2):
        with pytest.raises(NitroError, match="not today"):
            send(store, [news], to)
    send(store, [news], to)
    assert good.got == bad.got == [[news]]
    send(store, [news], to)
    assert good.got == bad.got == [[news]]
    forget(store, [news], to)
    assert not list(store.folder.rglob("*.json"))


def test_what_comes_later_is_told_without_what_was_taken(store):
    """The next night's check, when the one before could not tell everybody."""
    good, bad = Listener("good"), Listener("bad", refuses=1)
    to = [good.channel, bad.channel]
    first, second = step(), step(metric="tcp_out")
    with pytest.raises(NitroError):
        send(store, [verdict(new=(first,))], to)
    later = verdict(new=(first, second))
    send(store, [later], to)
    assert good.got == [[verdict(new=(first,))], [verdict(new=(second,))]]
    assert bad.got == [[later]]


def test_a_note_that_cannot_be_read_tells_again(store):
    listener = Listener("one")
    news = verdict(new=(step(),))
    for note in (b"{half", b"[[1]]", b"5"):
        store.write(listener.channel.path("small"), note)
        send(store, [news], [listener.channel])
    assert listener.got == [[news]] * 3


def test_the_address_of_a_webhook_is_not_written_down(store):
    listener = Listener("https://example.org/secret")
    send(store, [verdict(new=(step(),))], [listener.channel])
    [path] = store.folder.rglob("*.json")
    assert "secret" not in str(path.relative_to(store.folder)) + path.read_text()


def test_channels_are_those_that_are_asked_for():
    assert channels(None, None, None) == []
    [only] = channels("https://example.org", None, None)
    assert only.address == "https://example.org"


def test_only_untold_steps_and_failures_are_news():
    told = replace(step(), told=NIGHT)
    assert worth_telling([verdict(), verdict(new=(told,)), verdict(known=(told,))]) == []
    assert worth_telling([BAD, verdict(new=(step(),))]) == [BAD, verdict(new=(step(),))]
