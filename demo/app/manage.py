#!/usr/bin/python3
"""The command `mrs`: Django's management commands, and this project's."""
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mrs.settings')
execute_from_command_line(sys.argv)
