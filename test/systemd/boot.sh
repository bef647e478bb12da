#!/bin/sh
# Becomes PID 1 of a container: systemd on this host's own files, what it writes kept in memory.
# Usage, in new mount, PID, network, IPC and UTS namespaces: boot.sh FOLDER CGROUP…
# FOLDER: empty, only a place to mount on. CGROUP: folder of a control group that is the container's, one a hierarchy.
set -eu
folder=$1
shift
if [ $# -gt 0 ]; then
  for group; do echo 0 >"$group/cgroup.procs"; done
  exec unshare --cgroup "$0" "$folder"
fi

mount --make-rprivate /
mount -t tmpfs -o mode=755,size=4g vmpulse-test "$folder"
root=$folder/root
mkdir "$folder/upper" "$folder/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" vmpulse-test "$root"

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
# The tree that is tested, wherever it lies.
tree=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$root$tree"
mount --bind "$tree" "$root$tree"
mount -o remount,bind,ro "$root$tree"
# Units of this host do not run in it.
mount -t tmpfs -o mode=755 tmpfs "$root/etc/systemd/system"

mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/net"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for device in null:1:3:666 zero:1:5:666 full:1:7:666 random:1:8:666 urandom:1:9:666 tty:5:0:666 \
  net/tun:10:200:666 kvm:10:232:660; do
  IFS=: read -r name major minor mode <<END
$device
END
  # Those that this host has.
  [ -e "/dev/$name" ] || continue
  mknod -m "$mode" "$root/dev/$name" c "$major" "$minor"
done

# The control groups, as seen from that of the container.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
  mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
  for hierarchy in cpu cpuacct memory pids devices; do
    [ -e "/sys/fs/cgroup/$hierarchy" ] || continue
    mkdir "$root/sys/fs/cgroup/$hierarchy"
    mount -t cgroup -o "$hierarchy" cgroup "$root/sys/fs/cgroup/$hierarchy"
  done
  mkdir "$root/sys/fs/cgroup/systemd" "$root/sys/fs/cgroup/unified"
  mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
fi

ip link set lo up
cd "$root"
pivot_root . .
umount -l .
exec env -i container=vmpulse-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=basic.target --log-target=journal --show-status=no
