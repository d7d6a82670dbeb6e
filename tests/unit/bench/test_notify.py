"""News reach a webhook and a topic of SNS; what was told before is no news."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
from moto import mock_aws

from nitro.bench.notify import check_url, publish, webhook, worth_telling
from nitro.cloud import Cloud
from nitro.errors import InputError, NitroError
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


def test_only_web_addresses_are_webhooks():
    with pytest.raises(InputError, match="not a web address"):
        check_url("file:///etc/passwd")


def test_a_topic_gets_a_subject_that_sns_takes():
    with mock_aws():
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


def test_only_untold_steps_and_failures_are_news():
    told = replace(step(), told=NIGHT)
    assert worth_telling([verdict(), verdict(new=(told,)), verdict(known=(told,))]) == []
    assert worth_telling([BAD, verdict(new=(step(),))]) == [BAD, verdict(new=(step(),))]
