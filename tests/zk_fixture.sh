#!/bin/bash
# A ZooKeeper for tests: Debian's package, loopback, ephemeral ports, its own directory.
#
#   zk_fixture.sh start DIR [SERVERS]   starts 1 (default) or an ensemble of SERVERS; prints
#                                       connect=127.0.0.1:PORT[,...] and pids=PID[,...]
#   zk_fixture.sh stop DIR [N]          ends all of them, or server N (1..) alone
#   zk_fixture.sh restart DIR N         starts server N again on its port
#   zk_fixture.sh pause|resume DIR N    SIGSTOP, SIGCONT
#
# DIR is made when missing and holds connect, N.pid, N.log, N.cfg and the data. The caller removes it.
set -eu

die() { echo "zk_fixture.sh: $*" >&2; exit 1; }
need() { [ -r /usr/share/java/zookeeper.jar ] && command -v java >/dev/null || die "install the packages zookeeper and default-jre-headless"; }

# Ports the kernel gave out and took back: free now, and not handed out again soon.
free_ports() {
	python3 - "$1" <<-'P'
		import socket, sys
		held = []
		for _ in range(int(sys.argv[1])):
		    s = socket.socket()
		    s.bind(("127.0.0.1", 0))
		    held.append(s)
		print(*[s.getsockname()[1] for s in held])
	P
}

# 3 of 3 for the leader's port, the election's, the clients'
write_config() { # DIR N SERVERS PORTS...
	local dir=$1 n=$2 servers=$3 i; shift 3
	local ports=("$@")
	mkdir -p "$dir/$n.data"
	echo "$n" > "$dir/$n.data/myid"
	{
		echo "tickTime=${ZK_FIXTURE_TICK_MS:-500}"
		echo "minSessionTimeout=1000"
		echo "maxSessionTimeout=60000"
		echo "dataDir=$dir/$n.data"
		echo "clientPort=${ports[$((n - 1))]}"
		echo "clientPortAddress=127.0.0.1"
		echo "admin.enableServer=false"
		echo "maxClientCnxns=0"
		if [ "$servers" -gt 1 ]; then
			echo "initLimit=20"
			echo "syncLimit=10"
			for ((i = 1; i <= servers; i++)); do
				echo "server.$i=127.0.0.1:${ports[$((servers + i - 1))]}:${ports[$((2 * servers + i - 1))]}"
			done
		fi
	} > "$dir/$n.cfg"
}

# Quick to start, small in memory, silent.
launch() { # DIR N
	setsid java -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
		-Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dzookeeper.jmx.log4j.disable=true \
		-Dzookeeper.forceSync="${ZK_FIXTURE_FSYNC:-yes}" \
		-cp /usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar org.apache.zookeeper.server.quorum.QuorumPeerMain "$1/$2.cfg" \
		>> "$1/$2.log" 2>&1 < /dev/null &
	echo $! > "$1/$2.pid"
}

# Answers clients: an ensemble's member does so once there is a quorum.
await_serving() { # DIR N
	local port; port=$(sed -n 's/^clientPort=//p' "$1/$2.cfg")
	python3 - "$port" "$(cat "$1/$2.pid")" <<-'P' || die "server $2 does not answer; see $1/$2.log"
		import os, socket, struct, sys, time
		port, pid, until = int(sys.argv[1]), int(sys.argv[2]), time.monotonic() + 30
		hello = struct.pack(">iqiqi16s", 0, 0, 4000, 0, 16, b"\0" * 16)
		bye = struct.pack(">iii", 8, 1, -11)
		while time.monotonic() < until:
		    os.kill(pid, 0)
		    try:
		        s = socket.create_connection(("127.0.0.1", port), 1)
		        s.settimeout(2)
		        s.sendall(struct.pack(">i", len(hello)) + hello)
		        if len(s.recv(256)) > 8:
		            s.sendall(bye)
		            sys.exit(0)
		    except OSError:
		        pass
		    time.sleep(0.02)
		sys.exit(1)
	P
}

end() { # DIR N
	local pid i
	pid=$(cat "$1/$2.pid" 2>/dev/null) || return 0
	kill -CONT "$pid" 2>/dev/null || true
	kill "$pid" 2>/dev/null || true
	for ((i = 0; i < 200; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		[ "$i" = 100 ] && kill -9 "$pid" 2>/dev/null
		sleep 0.05
	done
	rm -f "$1/$2.pid"
}

start() { # DIR SERVERS
	local dir=$1 servers=$2 ports i connect= pids=
	need
	mkdir -p "$dir"
	read -r -a ports <<< "$(free_ports $((3 * servers)))"
	for ((i = 1; i <= servers; i++)); do
		write_config "$dir" "$i" "$servers" "${ports[@]}"
		launch "$dir" "$i"
		connect+="${connect:+,}127.0.0.1:${ports[$((i - 1))]}"
		pids+="${pids:+,}$(cat "$dir/$i.pid")"
	done
	for ((i = 1; i <= servers; i++)); do await_serving "$dir" "$i"; done
	echo "$connect" > "$dir/connect"
	echo "connect=$connect"
	echo "pids=$pids"
}

[ $# -ge 2 ] || die "usage: start DIR [SERVERS] | stop DIR [N] | restart DIR N | pause DIR N | resume DIR N"
mkdir -p "$2"
dir=$(cd "$2" && pwd)
case $1 in
start) start "$dir" "${3:-1}" ;;
stop)
	if [ -n "${3:-}" ]; then end "$dir" "$3"; else
		for f in "$dir"/*.pid; do [ -e "$f" ] && end "$dir" "$(basename "$f" .pid)"; done
	fi ;;
restart) launch "$dir" "$3"; await_serving "$dir" "$3" ;;
pause) kill -STOP "$(cat "$dir/$3.pid")" ;;
resume) kill -CONT "$(cat "$dir/$3.pid")" ;;
*) die "unknown command $1" ;;
esac
