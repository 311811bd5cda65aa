"""When each alert fires, and when it does not: series in promtool's notation (value+step x count, one a minute)."""

import dataclasses

JOB = 'job="qubesec-metrics"'
ONE, TWO = f'{JOB},instance="one"', f'{JOB},instance="two"'


@dataclasses.dataclass(frozen=True)
class Case:
    alert: str
    minute: int
    fires: bool
    series: dict


def fires(alert, minute, **series):
    return Case(alert, minute, True, named(series))


def quiet(alert, minute, **series):
    return Case(alert, minute, False, named(series))


def named(series):
    """metric="values" or metric=[(labels, values), ...], the labels in addition to those of the first replica."""
    return {
        f"{metric}{{{labels}}}": values
        for metric, all_values in series.items()
        for labels, values in ([(ONE, all_values)] if isinstance(all_values, str) else all_values)
    }


def on(replica, labels=""):
    return f"{replica},{labels}".rstrip(",")


def requests(failed, good, labels=ONE):
    return {
        "controller_runtime_webhook_requests_total": [
            (on(labels, 'webhook="/validate",code="500"'), failed),
            (on(labels, 'webhook="/validate",code="200"'), good),
        ]
    }


def queue(depth, done, longest="0x60"):
    name = on(ONE, 'name="qubesec"')
    return {
        "workqueue_depth": [(name, depth)],
        "workqueue_work_duration_seconds_count": [(name, done)],
        "workqueue_longest_running_processor_seconds": [(name, longest)],
    }


def reconciles(errors, total, kind_of_error="io"):
    return {
        "controller_runtime_reconcile_errors_total": [(on(ONE, f'class="{kind_of_error}",controller="a"'), errors)],
        "controller_runtime_reconcile_total": [(on(ONE, 'result="error",controller="a"'), total)],
    }


def watch(up, refused, refused_otherwise):
    """The series of one watch: while it is up, and while it is not, with two errors in turn."""
    series = {"": up, "forbidden": refused, "not found": refused_otherwise}
    return {
        "qubesec_watch_up": [
            (on(ONE, f'resource="secrets",detail="{detail}"'), values) for detail, values in series.items()
        ]
    }


def waits(up_to_ten, all_of_them):
    buckets = {"10": up_to_ten, "30": all_of_them, "+Inf": all_of_them}
    return {
        "workqueue_queue_duration_seconds_bucket": [
            (on(ONE, f'name="qubesec",le="{bound}"'), values) for bound, values in buckets.items()
        ]
    }


def certificate(expires, renews=None):
    labels = on(ONE, 'namespace="team",name="web",issuer_name="ca"')
    renewal = {} if renews is None else {"qubesec_certificate_renewal_timestamp_seconds": [(labels, renews)]}
    return {
        "qubesec_certificate_expiration_timestamp_seconds": [(labels, expires)],
        "qubesec_certificate_not_before_timestamp_seconds": [(labels, "0x600")],
        **renewal,
    }


def objects(status, values):
    return {"qubesec_objects": [(on(ONE, f'kind="QuantumKEMKeyPair",status="{status}"'), values)]}


def overdue(reason, values):
    return {"qubesec_objects_overdue": [(on(ONE, f'kind="QuantumDerivedKey",reason="{reason}"'), values)]}


def rotation(values):
    return {"qubesec_rotation_overdue": [(on(replica, 'kind="QuantumKEMKeyPair"'), values) for replica in (ONE, TWO)]}


CASES = [
    fires("QubeSecAbsent", 6),
    fires("QubeSecAbsent", 20, qubesec_build_info="1x5 _x20"),
    quiet("QubeSecAbsent", 4),
    quiet("QubeSecAbsent", 20, qubesec_build_info="1x60"),
    fires("QubeSecNoLeader", 5, leader_election_master_status=[(ONE, "0x60"), (TWO, "0x60")]),
    quiet("QubeSecNoLeader", 5, leader_election_master_status=[(ONE, "0x60"), (TWO, "1x60")]),
    quiet("QubeSecNoLeader", 3, leader_election_master_status=[(ONE, "1 0 1 1 1"), (TWO, "0x60")]),
    quiet("QubeSecNoLeader", 5, leader_election_master_status=[('job="other"', "0x60")]),
    fires("QubeSecTwoLeaders", 5, leader_election_master_status=[(ONE, "1x60"), (TWO, "1x60")]),
    quiet("QubeSecTwoLeaders", 5, leader_election_master_status=[(ONE, "1x60"), (TWO, "0x60")]),
    quiet("QubeSecTwoLeaders", 5, leader_election_master_status=[(ONE, "1x60"), ('job="other"', "1x60")]),
    fires("QubeSecWatchDown", 9, **watch("1x2 _x60", "_x2 0x4 _x60", "_x6 0x60")),  # whatever it is that it says
    quiet("QubeSecWatchDown", 60, **watch("1x60", "_x60", "_x60")),
    quiet("QubeSecWatchDown", 60, **watch("1x30 _x3 1x60", "_x30 0x2 _x60", "_x60")),  # it was over soon
    fires("QubeSecObjectFailing", 20, **objects("Failed", "2x60")),
    quiet("QubeSecObjectFailing", 10, **objects("Failed", "2x60")),
    quiet("QubeSecObjectFailing", 20, **objects("Failed", "0x60")),
    quiet("QubeSecObjectFailing", 20, **objects("Pending", "2x60")),
    fires("QubeSecObjectWaiting", 10, **overdue("WaitingForSecret", "2x60")),
    quiet("QubeSecObjectWaiting", 3, **overdue("WaitingForSecret", "2x60")),
    quiet("QubeSecObjectWaiting", 20, **overdue("WaitingForSecret", "1x10 _x20")),
    quiet("QubeSecObjectWaiting", 20, **objects("Pending", "2x60")),
    fires("QubeSecCertificateRenewalOverdue", 110, **certificate("900000x300", "1800x300")),
    quiet("QubeSecCertificateRenewalOverdue", 80, **certificate("900000x300", "1800x300")),
    quiet("QubeSecCertificateRenewalOverdue", 110, **certificate("900000x300", "1800x35 500000x300")),
    quiet("QubeSecCertificateRenewalOverdue", 500, **certificate("30000x600")),  # it ends with its issuer's
    fires("QubeSecCertificateExpiring", 470, **certificate("30000x600")),
    fires("QubeSecCertificateExpiring", 540, **certificate("30000x600")),
    quiet("QubeSecCertificateExpiring", 440, **certificate("30000x600")),  # short-lived, and not its last tenth
    quiet("QubeSecCertificateExpiring", 470, **certificate("90000x600")),
    quiet("QubeSecCertificateExpiring", 470, **certificate("30000x600", "29000x600")),
    fires("QubeSecCertificateExpiring", 80, **certificate("90000x300", "3600x300")),
    fires("QubeSecCertificateExpiring", 110, **certificate("6000x300", "3600x300")),
    quiet("QubeSecCertificateExpiring", 180, **certificate("90000x300", "80000x300")),  # short-lived, not due yet
    quiet("QubeSecCertificateExpiring", 180, **certificate("900000x300", "3600x300")),
    fires("QubeSecRotationOverdue", 15, **rotation("1x60")),
    quiet("QubeSecRotationOverdue", 8, **rotation("1x60")),
    quiet("QubeSecRotationOverdue", 15, **rotation("1x7 _x60")),  # it was rotated, if late
    quiet("QubeSecRotationOverdue", 15, **rotation("0x60")),
    fires("QubeSecWebhookCertificateExpiring", 80, qubesec_webhook_certificate_expiration_timestamp_seconds="90000x300"),
    quiet("QubeSecWebhookCertificateExpiring", 80, qubesec_webhook_certificate_expiration_timestamp_seconds="900000x300"),
    fires("QubeSecWebhookErrors", 20, **requests("0+10x60", "0+50x60")),
    quiet("QubeSecWebhookErrors", 20, **requests("0+1x60", "0+50x60")),
    quiet("QubeSecWebhookErrors", 20, **requests("0+10x60", "0+50x60", labels='job="other"')),
    fires("QubeSecQueueStuck", 20, **queue("5x60", "100x60")),
    fires("QubeSecQueueStuck", 20, **queue("0x60", "0+10x60", longest="0+60x60")),
    fires("QubeSecQueueStuck", 20, **queue("5x60", "100x60"), leader_election_master_status="1x60"),
    quiet("QubeSecQueueStuck", 20, **queue("5x60", "100x60"), leader_election_master_status="0x60"),
    quiet("QubeSecQueueStuck", 20, **queue("5x60", "0+10x60")),
    quiet("QubeSecQueueStuck", 20, **queue("0x60", "100x60")),
    fires("QubeSecErrorRateHigh", 30, **reconciles("0+60x60", "0+120x60")),
    quiet("QubeSecErrorRateHigh", 30, **reconciles("0+60x60", "0+120x60", kind_of_error="invalid_spec")),
    quiet("QubeSecErrorRateHigh", 30, **reconciles("0+60x60", "0+120x60", kind_of_error="key_lost")),
    quiet("QubeSecErrorRateHigh", 30, **reconciles("0+60x60", "0+120x60", kind_of_error="key_mismatch")),
    quiet("QubeSecErrorRateHigh", 30, **reconciles("0+1x60", "0+1x60")),
    quiet("QubeSecErrorRateHigh", 30, **reconciles("0+60x60", "0+900x60")),
    fires("QubeSecSlow", 30, **waits("0+10x60", "0+100x60")),
    quiet("QubeSecSlow", 30, **waits("0+100x60", "0+100x60")),
]
