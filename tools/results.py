"""A plugin of pytest (-p results): writes what became of each test to $ORIEL_RESULTS as JSON lines."""
import json
import os

import pytest


class Results:
    def __init__(self, path, build):
        self.path, self.build, self.outcomes = path, build, {}

    def pytest_runtest_logreport(self, report):
        """Three reports a test: setup, call, teardown. The first failure or skip counts, else the call."""
        before = self.outcomes.get(report.nodeid, {}).get('outcome')
        if report.failed or (before is None and (report.when == 'call' or report.skipped)):
            self.outcomes[report.nodeid] = {'outcome': report.outcome}
            if report.skipped and isinstance(report.longrepr, tuple):
                self.outcomes[report.nodeid]['why'] = report.longrepr[2].removeprefix('Skipped: ')

    def pytest_collectreport(self, report):
        if report.failed:
            self.outcomes[report.nodeid] = {'outcome': 'failed'}

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session, exitstatus):
        # Failures are in the list. A build for which no test is marked is none.
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = 0
        elif exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            self.outcomes['pytest'] = {'outcome': 'failed'}
        with open(self.path, 'w', encoding='utf-8') as f:
            for name, what in self.outcomes.items():
                f.write(json.dumps({'id': name, 'build': self.build, **what}) + '\n')


def pytest_configure(config):
    if os.environ.get('ORIEL_RESULTS'):
        plugin = Results(os.environ['ORIEL_RESULTS'], os.environ.get('ORIEL_BUILD'))
        config.pluginmanager.register(plugin, 'oriel-results')
