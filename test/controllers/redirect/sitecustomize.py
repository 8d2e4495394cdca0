"""Send connections for one local port to another one.

Python imports a module of this name by itself when it starts, so with this
directory on PYTHONPATH every Python process of a test suite is redirected, the
children of its children included. Everything else about the port stays as it
is: who listens there, what tor says of it, what /proc shows.

  TOPS_REDIRECT  "FROM:TO", two ports on 127.0.0.1
  TOPS_COUNT     a file that gets a byte for each connection that was redirected
"""

import os
import socket

_from, _to = (int(port) for port in os.environ['TOPS_REDIRECT'].split(':'))
_connect = socket.socket.connect


def _redirected(self, address):
  if self.family == socket.AF_INET and address == ('127.0.0.1', _from):
    address = ('127.0.0.1', _to)
    with open(os.environ['TOPS_COUNT'], 'ab') as count:
      count.write(b'.')
  return _connect(self, address)


socket.socket.connect = _redirected
