#!/usr/bin/python3
"""Run stem's integration suite directly and through the proxy, and compare.

  STEM=/path/to/stem TOPS=/path/to/tops test/controllers/stem_suite.py [RESULTS]

STEM is a checkout of https://github.com/torproject/stem (its development branch,
last tried at d5012a10); its tests are run as they are. For each way of
authenticating the suite runs twice: once with the control port that tor listens
on, and once with every connection to that port going to the proxy instead, see
redirect/sitecustomize.py. Every test must end the same both times.

RESULTS is written if it is named: a line for each test with its two results, as
in stem_results.txt beside this file. A few tests measure time, and fail now and
then on a busy machine, either way. So a test that ends differently is run again,
with its module alone and both ways, up to three times; it must then end the same.

It needs root, for a network namespace: stem's ports are fixed, and nothing in
there reaches the outside. That is also why much of the suite is skipped: it
wants the live Tor network.
"""

import collections
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TARGETS = ('RUN_OPEN', 'RUN_COOKIE', 'RUN_PASSWORD')
TOR_PORT, PROXY_PORT = 1111, 1110  # the first is stem's choice

# How a line of the suite's verbose output tells of a test, and of its class.
RESULT = re.compile(r'^(test_\w+) .*\[(SUCCESS|SKIPPED|FAILURE|ERROR)\]')
CLASS = re.compile(r'^ +test\.integ\.([\w.]+) *$')


def run(stem, target, proxied, directory, module = None):
  """Runs the suite, or a module of it, once: results by the name of the test,
  and how many connections went to the proxy so far."""
  env = dict(os.environ, PYTHONDONTWRITEBYTECODE = '1')
  count = os.path.join(directory, '%s-count' % target)
  if proxied:
    env.update(
      PYTHONPATH = os.path.join(HERE, 'redirect'),
      TOPS_REDIRECT = '%d:%d' % (TOR_PORT, PROXY_PORT),
      TOPS_COUNT = count,
    )
  command = ['/usr/bin/python3', 'run_tests.py', '--integ', '--verbose', '--targets', target, '--tor', '/usr/sbin/tor']
  if module:
    command += ['--test', module]
  done = subprocess.run(command, cwd = stem, env = env, stdout = subprocess.PIPE, stderr = subprocess.STDOUT, text = True, timeout = 300)
  results, of = {}, ''
  for line in done.stdout.splitlines():
    line = re.sub('\x1b' + r'\[[0-9;]*m', '', line)
    if CLASS.match(line):
      of = CLASS.match(line).group(1)
    elif RESULT.match(line):
      name, result = RESULT.match(line).groups()
      results['%s.%s' % (of, name)] = result.lower()
  if len(results) < (1 if module else 200):
    sys.exit('only %d results from %s:\n%s' % (len(results), target, done.stdout[-4000:]))
  return results, os.path.getsize(count) if os.path.exists(count) else 0


def again(stem, target, name, directory):
  """Runs a test that ended differently again, both ways."""
  module = name.rsplit('.', 2)[0]
  for attempt in 1, 2, 3:
    direct = run(stem, target, False, directory, module)[0].get(name)
    proxied = run(stem, target, True, directory, module)[0].get(name)
    print('%-12s %s once more, alone: %s directly, %s proxied' % (target, name, direct, proxied), flush = True)
    if direct == proxied:
      break
  return direct, proxied


def start_proxy(tops):
  listen, upstream = '127.0.0.1:%d' % PROXY_PORT, '127.0.0.1:%d' % TOR_PORT
  return subprocess.Popen([tops, 'proxy', '--listen', listen, '--upstream', upstream])


def main():
  stem, tops = os.environ.get('STEM'), os.environ.get('TOPS')
  if not stem or not tops:
    sys.exit(__doc__)
  if 'TOPS_IN_NAMESPACE' not in os.environ:
    os.environ['TOPS_IN_NAMESPACE'] = '1'
    os.execvp('unshare', ['unshare', '--net', sys.executable, os.path.abspath(__file__)] + [os.path.abspath(a) for a in sys.argv[1:]])
  subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check = True)

  lines, different = [], 0
  with tempfile.TemporaryDirectory() as directory:
    proxy = start_proxy(os.path.abspath(tops))
    try:
      for target in TARGETS:
        begin = time.time()
        direct, _ = run(stem, target, False, directory)
        proxied, connections = run(stem, target, True, directory)
        for how, results in ('directly', direct), ('proxied', proxied):
          print('%-12s %-8s %s' % (target, how, dict(sorted(collections.Counter(results.values()).items()))), flush = True)
        for name in sorted(set(direct) | set(proxied)):
          results = direct.get(name, 'missing'), proxied.get(name, 'missing')
          if results[0] != results[1]:
            results = again(stem, target, name, directory)
          different += results[0] != results[1]
          lines.append('%-12s %-8s %-8s %s%s' % ((target,) + results + (name, '' if results[0] == results[1] else '  <-- differs')))
        print('%-12s %d connections through the proxy, %d s' % (target, connections, time.time() - begin), flush = True)
        if connections < 50:
          sys.exit('too few connections went through the proxy')
        if proxy.poll() is not None:
          sys.exit('the proxy ended')
    finally:
      proxy.terminate()
      proxy.wait()
  if len(sys.argv) > 1:
    with open(sys.argv[1], 'w') as f:
      f.write('# target     directly proxied  test\n' + '\n'.join(lines) + '\n')
  for line in lines:
    if line.endswith('differs'):
      print(line)
  sys.exit(1 if different else 0)


if __name__ == '__main__':
  main()
