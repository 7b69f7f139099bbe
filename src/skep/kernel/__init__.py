"""Live kernel objects: bpf(2), maps, programs, links, rings, netlink, probes."""
