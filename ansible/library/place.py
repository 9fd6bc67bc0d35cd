#!/usr/bin/python
"""Makes files be as they have to be: all of them in one task, since each task costs a second."""
# Copyright: the authors of mrs-ops
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: place
short_description: Files, in one go
description:
  - Makes files with the content and the mode given.
  - A file is replaced whole, under its name, or not at all.
options:
  files:
    description: Files. They belong to root, as do folders above them that are missing.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute., type: path, required: true}
      content: {description: All of it. It is never shown., type: str, required: true}
      mode: {description: In octal., type: str, default: "0644"}
  where:
    description: Nothing is made, and the result is skipped, where this path does not exist.
    type: path
author: the authors of mrs-ops
"""

EXAMPLES = r"""
- name: Have a script
  place:
    files: [{path: /opt/example/run.sh, content: "{{ lookup('ansible.builtin.file', 'run.sh') }}", mode: "0700"}]
"""

RETURN = r"""
made:
  description: What was not as it had to be.
  returned: always
  type: list
  elements: str
"""

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule


def as_wanted(path, mode):
    """Whether what is there is root's, and has the mode."""
    found = os.stat(path)
    return (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 0, mode)


def own(path, mode):
    """Gives root what is there, and it the mode; chown may take bits away, so it is first."""
    os.chown(path, 0, 0)
    os.chmod(path, mode)


def file(wanted, change):
    """Makes a file as wanted, and returns whether it was not."""
    path, mode, content = wanted['path'], int(wanted['mode'], 8), wanted['content'].encode('utf-8')
    same = os.path.isfile(path) and not os.path.islink(path) and open(path, 'rb').read() == content
    if same and as_wanted(path, mode):
        return False
    if change and same:
        own(path, mode)
    elif change:
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path), 0o755)
        handle, half = tempfile.mkstemp(dir=os.path.dirname(path), prefix='.' + os.path.basename(path))
        try:
            with os.fdopen(handle, 'wb') as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            own(half, mode)
            # Not the module's atomic_move, which gives a new file another mode.
            os.rename(half, path)
        finally:
            if os.path.exists(half):
                os.unlink(half)
    return True


def main():
    """Makes what is asked for."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'where': {'type': 'path'},
        'files': {'type': 'list', 'elements': 'dict', 'default': [], 'options': {
            'path': {'type': 'path', 'required': True},
            'content': {'type': 'str', 'required': True, 'no_log': True},
            'mode': {'type': 'str', 'default': '0644'},
        }},
    })
    where = module.params['where']
    if where and not os.path.exists(where):
        module.exit_json(changed=False, skipped=True, made=[], msg='there is no ' + where)
    change = not module.check_mode
    os.umask(0o022)
    made = []
    try:
        for wanted in module.params['files']:
            if file(wanted, change):
                made.append(wanted['path'])
    except (OSError, ValueError) as error:
        module.fail_json(msg=str(error), made=made)
    module.exit_json(changed=bool(made), made=made)


if __name__ == '__main__':
    main()
