# SPDX-License-Identifier: Apache-2.0
"""Serves a service's WSGI application: ``lab_serve.py MODULE PORT THREADS``.

waitress is one process and needs no compiler to be installed; uWSGI needs both a second process and one.
"""

import importlib
import logging
import sys

import waitress


def main(module: str, port: str, threads: str) -> None:
    """Serve until told to end."""
    application = importlib.import_module(module).application
    logging.getLogger("waitress").setLevel(logging.ERROR)  # it warns of every request that waits
    waitress.serve(
        application,
        host="127.0.0.1",
        port=int(port),
        threads=int(threads),
        ident=None,
        clear_untrusted_proxy_headers=True,
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    del sys.argv[1:]  # keystone would take them for its own
    main(*words)
