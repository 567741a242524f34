#!/usr/bin/env python3
"""Cuts the power of a file system: what was not synced is gone, and every later access fails until it is mounted again.

Usage: power-cut.py MOUNT-POINT

Node has no ioctl, so this asks the kernel (FS_IOC_SHUTDOWN without a flush of the journal), which ext4 and XFS answer.
Needs root.
"""
import fcntl
import os
import struct
import sys

FS_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2

if len(sys.argv) != 2:
    sys.exit("usage: power-cut.py MOUNT-POINT")
folder = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
fcntl.ioctl(folder, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
