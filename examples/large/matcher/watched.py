"""Two hundred patterns of paths that a node watches for: a set of the size that rules of security have."""

from collections.abc import Iterator

from examples.large.matcher.patterns import Pattern, contains, glob, prefix, suffix

# Places and globs are below the root, whose slash is left out.
PLACES = """
bin/ boot/ dev/mem dev/kmem dev/mapper/ dev/shm/ etc/audit/ etc/cron.d/ etc/cron.daily/ etc/crontab
etc/group etc/gshadow etc/hosts etc/init.d/ etc/kubernetes/ etc/ld.so.conf etc/ld.so.preload etc/modprobe.d/
etc/nsswitch.conf etc/pam.d/ etc/passwd etc/profile etc/resolv.conf etc/security/ etc/shadow etc/ssh/
etc/ssl/private/ etc/sudoers etc/systemd/system/ lib/modules/ opt/cni/bin/ proc/kcore proc/sys/kernel/
proc/sysrq-trigger root/ run/containerd/ run/crio/ run/docker.sock run/secrets/ run/systemd/ sbin/
sys/fs/bpf/ sys/fs/cgroup/ sys/kernel/debug/ sys/kernel/security/ sys/module/ tmp/.X11-unix/ usr/bin/
usr/lib/systemd/ usr/lib/x86_64-linux-gnu/security/ usr/local/bin/ usr/local/sbin/ usr/sbin/ var/lib/docker/
var/lib/etcd/ var/lib/kubelet/ var/log/audit/ var/log/journal/ var/run/secrets/kubernetes.io/ var/spool/cron/
"""
ENDS = """
.7z .asc .bak .bash_history .bashrc .bat .cer .conf .core .crt .db .der .dump .env .exe .gpg .htpasswd .jar .jks .jsp
.kdbx .key .keytab .ko .ko.xz .kubeconfig .netrc .node .ovpn .p12 .pem .pfx .pgpass .php .profile .ps1 .py .pyc .rdb
.rpm .service .sh .so .socket .sql .sqlite .swp .tar.gz .timer .tmp .vbs .war .zip .zshrc /authorized_keys /core
/credentials /id_ecdsa /id_ed25519 /id_rsa /known_hosts /shadow
"""
PARTS = """
.. /.aws/ /.azure/ /.cache/ /.docker/ /.git/ /.gnupg/ /.kube/ /.mozilla/ /.ssh/ /.terraform.d/ /.vault-token //
/cgi-bin/ /containerd.sock /crio.sock /dirtyc /docker.sock /exploit /kubelet.sock /libprocess /lost+found/ /memfd:
/minerd /ncat /node_modules/ /nmap /payload /pkexec /podman.sock /pods/ /release_agent /rootkit /secrets/ /shm/
/site-packages/ /socat /sshd /staging/ /tcpdump /token /uploads/ /xmrig backdoor cryptonight kdevtmpfsi kinsing
log4j masscan meterpreter mimikatz passwd
"""
GLOBS = """
home/*/.ssh/* home/*/.bash_* root/.[a-z]* proc/[0-9]*/mem proc/[0-9]*/maps proc/[0-9]*/environ proc/*/cwd/*
dev/sd[a-z] dev/sd[a-z][0-9] dev/nvme?n? dev/tty[0-9]* etc/rc?.d/* etc/cron.*/* lib*/ld-*.so.? tmp/*.sh
tmp/.* var/log/*.log var/log/*.[0-9].gz var/www/*.php srv/*/bin/* usr/lib*/python3.?/*
"""
NAMES = """
*.so.[0-9] *.so.[0-9].* *.[ch] *~ *.py[co]
"""
KINDS = {"prefix": prefix, "suffix": suffix, "contains": contains, "glob": glob}


def rules() -> Iterator[tuple[str, str]]:
    """Kind and text of each, in the order of their bits."""
    yield from (("prefix", f"/{text}") for text in PLACES.split())
    yield from (("suffix", text) for text in ENDS.split())
    yield from (("contains", text) for text in PARTS.split())
    yield from (("glob", f"/{text}") for text in GLOBS.split())
    yield from (("glob", text) for text in NAMES.split())


def watched() -> list[Pattern]:
    """The patterns, in the order of their bits."""
    return [KINDS[kind](text) for kind, text in rules()]
