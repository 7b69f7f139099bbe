"""The rows of the table of helpers, as text: ``helpers`` reads it.

A line that begins with @ names the kinds of programs below it, by their families or by a set of ``SETS``; ``not`` turns
it round. A row is name, number, arguments (a letter each, as ``helpers.LETTERS`` has them), result, since, and what it
does. A result with ? may be None, one with ~ is only read by probe. Where a helper works was asked of Linux 6.1, 6.12
and 6.18, for each kind and helper; a test asks again.
"""

SETS = {
    "functions": ("fentry", "fexit", "fmod_ret"),
    "addresses": ("connect4", "connect6", "sock_addr", "sock_addr_told"),
    "lwt": ("lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local"),
    "watching": ("kprobe", "tracepoint", "perf_event", "raw_tp"),
    "tracing": (
        *("kprobe", "tracepoint", "perf_event", "raw_tp", "tp_btf", "fentry", "fexit", "fmod_ret"),
        *("lsm", "lsm_cgroup", "iterator", "syscall"),
    ),
}

ROWS = """
@ everywhere
probe_read_user 112 OSA s64 5.5 Copy from user memory; zeroes on a fault.
probe_read_kernel 113 OSA s64 5.5 Copy from kernel memory; zeroes on a fault.
probe_read_user_str 114 OSA s64 5.5 Copy a string from user memory; its size with NUL.
probe_read_kernel_str 115 OSA s64 5.5 Copy a string from kernel memory.
ktime_get_ns 5 - u64 4.1 Monotonic time in ns, without time suspended.
ktime_get_boot_ns 125 - u64 5.8 Time since boot in ns, suspended time included.
ktime_get_tai_ns 208 - u64 6.1 International atomic time in ns.
get_prandom_u32 7 - u32 4.1 A pseudo-random number.
get_smp_processor_id 8 - u32 4.1 The CPU that runs the program.
get_numa_node_id 42 - s32 4.10 The NUMA node.
jiffies64 118 - u64 5.6 The kernel's tick.
get_current_pid_tgid 14 - u64 4.2 tgid << 32 | pid, in the kernel's words.
get_ns_current_pid_tgid 120 IIOS s64 5.7 The same as a PID namespace counts, by its device and inode.
get_current_uid_gid 15 - u64 4.2 gid << 32 | uid.
get_current_comm 16 OS s64 4.2 The task's name, 16 bytes.
get_current_task 35 - ~task_struct 4.8 The current task.
get_current_task_btf 158 - task_struct 5.11 The current task.
get_current_cgroup_id 80 - u64 4.18 The task's cgroup v2 id.
get_current_ancestor_cgroup_id 123 I u64 5.6 The id of its ancestor at a level.
get_cgroup_classid 17 C u32 4.3 The net_cls class of the task or packet.
current_task_under_cgroup 37 MI s64 4.9 Whether the task is in the cgroup at an index.
task_pt_regs 175 K pt_regs 5.15 The registers that a task had in user space.
get_task_stack 141 KOSI s64 5.9 A task's stack; the bytes written.
get_branch_snapshot 176 OSI s64 5.16 The last branches taken; the bytes written.
send_signal 109 I s64 5.3 Signal the current process.
send_signal_thread 117 I s64 5.5 Signal the current thread.
tail_call 12 CMI s64 4.2 Go on in another program; returns only when it fails.
ringbuf_output 130 MRSI s64 5.8 Copy bytes into a ring.
dynptr_from_mem 197 RSIO s64 5.19 A dynptr over bytes of a map's value.
dynptr_read 201 OSRII s64 5.19 Copy bytes from a dynptr, from an offset on.
dynptr_write 202 RIRSI s64 5.19 Copy bytes into a dynptr, from an offset on.
dynptr_data 203 RII ?void 5.19 The bytes behind a dynptr, in place, as a type.
snprintf 165 OSRAI s64 5.13 Text of values, as print() writes them; its length with NUL.
snprintf_btf 149 OSKI s64 5.10 Text of an object of the kernel, by its type; its length.
ringbuf_query 134 MI u64 5.8 What a ring holds (flags 0), its size (1), its positions.
perf_event_read 22 MI u64 4.3 The counter of the event at an index.
perf_event_read_value 55 MIOS s64 4.15 The counter with its times.
find_vma 180 KIFAI s64 5.17 The mapping of a task's address, for a function to see.
this_cpu_ptr 154 V ?void 5.10 A variable of this CPU.
per_cpu_ptr 153 VI ?void 5.10 A variable of a CPU.
strtol 105 RSIO s64 5.2 Text to a signed number; the characters used.
strtoul 106 RSIO s64 5.2 Text to an unsigned number; the characters used.
copy_from_user 148 OSA s64 5.10 Copy from user memory, waiting for it.
copy_from_user_task 191 OSAKI s64 5.18 Copy from the memory of a task, waiting for it.

@ tracing
probe_write_user 36 ARS s64 4.8 Write into the memory of the current process.
get_stackid 27 CMI s64 4.6 The id of the stack in a stack-trace map.
get_stack 67 COSI s64 4.18 The stack's addresses; the bytes written.
get_func_ip 173 C u64 5.15 The address of the function that was entered.

@ kprobe
override_return 58 CI s64 4.16 End the probed function at once with a result.

@ watching tp_btf functions lsm
get_attach_cookie 174 C u64 5.15 The number given when the program was attached.

@ functions lsm
get_func_arg 183 CIO s64 5.17 An argument of the function, by its number.
get_func_ret 184 CO s64 5.17 The result of the function.
get_func_arg_cnt 185 C s64 5.17 How many arguments the function has.

@ functions lsm lsm_cgroup iterator
d_path 147 KOS s64 5.10 The path of a struct path; its length with NUL.

@ lsm lsm_cgroup
bprm_opts_set 159 KI s64 5.11 Options of the program that starts.
ima_inode_hash 161 KOS s64 5.11 The hash of an inode, as IMA measured it.
ima_file_hash 193 KOS s64 5.18 The hash of a file, measured now where it was not.

@ tp_btf functions lsm lsm_cgroup iterator syscall
skb_output 111 KMIRS s64 5.5 A packet, and data before it, into a perf buffer.
xdp_output 121 KMIRS s64 5.6 A packet of XDP, and data before it, into a perf buffer.
sock_from_file 162 K ?socket 5.11 The socket of a file.

@ tp_btf functions lsm lsm_cgroup iterator syscall xdp
xdp_get_buff_len 188 C u64 5.18 The length of a packet with its fragments.

@ perf_event
perf_prog_read_value 56 COS s64 4.15 The counter of a perf_event program.
read_branch_records 119 COSI s64 5.6 The branches of a sample.

@ iterator
seq_write 127 KRS s64 5.7 Write bytes to an iterator's file.
seq_printf_btf 150 KKI s64 5.10 Write an object of the kernel to an iterator's file, by its type.

@ syscall
sys_bpf 166 IOS s64 5.14 bpf(2).
sys_close 168 I s64 5.14 close(2).
btf_find_by_name_kind 167 RSII s64 5.14 The id of a type of the kernel.
kallsyms_lookup_name 179 RSIO s64 5.16 The address of a symbol.

@ not watching device getsockopt setsockopt netfilter sock post_bind sk_reuseport struct_ops sysctl
skc_to_tcp6_sock 136 K ?tcp6_sock 5.9 A socket as TCP's over IPv6.
skc_to_tcp_sock 137 K ?tcp_sock 5.9 A socket as TCP's.
skc_to_tcp_timewait_sock 138 K ?tcp_timewait_sock 5.9 A socket that waits for the last packets.
skc_to_tcp_request_sock 139 K ?tcp_request_sock 5.9 A connection that is being made.
skc_to_udp6_sock 140 K ?udp6_sock 5.9 A socket as UDP's over IPv6.
skc_to_unix_sock 178 K ?unix_sock 5.16 A socket as a local one.
skc_to_mptcp_sock 196 K ?mptcp_sock 5.19 A socket as MPTCP's.

@ not tracing device getsockopt netfilter setsockopt
ktime_get_coarse_ns 160 - u64 5.11 Monotonic time of the last tick in ns.

@ not watching struct_ops device flow_dissector getsockopt setsockopt netfilter lwt sk_lookup sk_msg sysctl xdp
get_socket_cookie 46 K u64 4.12 A number that names a socket (or a context's) for its life.

@ cgroup_skb addresses getsockopt setsockopt sock post_bind sk_msg socket_filter sockops tc
get_netns_cookie 122 C u64 5.6 A number that names the network namespace.

@ connect4 connect6 sock_addr device getsockopt setsockopt lsm_cgroup sock post_bind sysctl
set_retval 187 I s64 5.18 The errno that the refused call returns.
get_retval 186 - s64 5.18 The errno that the call would return.

@ addresses setsockopt sockops struct_ops iterator:tcp
setsockopt 49 KIIRS s64 4.13 Set an option of a socket (or of the context's).
getsockopt 57 KIIOS s64 4.15 Get an option of a socket (or of the context's).

@ connect4 connect6
bind 64 CRS s64 4.17 Bind the socket to an address before it connects.

@ cgroup_skb addresses sk_lookup sk_skb tc xdp
sk_release 86 K s64 4.20 Give back a socket that was looked up.

@ cgroup_skb addresses sk_skb tc xdp
sk_lookup_tcp 84 CRSII ?bpf_sock 4.20 The TCP socket of addresses and ports; give it back.
sk_lookup_udp 85 CRSII ?bpf_sock 4.20 The UDP socket of addresses and ports; give it back.
skc_lookup_tcp 99 CRSII ?bpf_sock 5.2 As sk_lookup_tcp, half-open ones too.

@ cgroup_skb getsockopt setsockopt sockops tc
tcp_sock 96 K ?bpf_tcp_sock 5.1 What TCP knows of a socket.

@ cgroup_skb tc
sk_fullsock 95 K ?bpf_sock 5.1 A socket with all its fields.
get_listener_sock 98 K ?bpf_sock 5.1 The listening socket of a request.
skb_ecn_set_ce 97 C s64 5.1 Mark congestion in the IP header.
skb_cgroup_id 79 C u64 4.18 The cgroup id of the packet's socket.
skb_ancestor_cgroup_id 83 CI u64 4.19 The id of its ancestor at a level.

@ cgroup_skb
sk_cgroup_id 128 K u64 5.8 The cgroup id of a socket.
sk_ancestor_cgroup_id 129 KI u64 5.8 The id of its ancestor at a level.

@ cgroup_skb sk_skb socket_filter tc
get_socket_uid 47 C u32 4.12 The owner of the packet's socket.

@ cgroup_skb sk_reuseport socket_filter tc
skb_load_bytes_relative 68 CIOSI s64 4.18 Copy bytes counted from the MAC (0) or network (1) header.

@ cgroup_skb flow_dissector lwt sk_reuseport sk_skb socket_filter tc
skb_load_bytes 26 CIOS s64 4.5 Copy bytes of a packet.

@ lwt sk_skb tc
skb_pull_data 39 CI s64 4.9 Make the first bytes directly readable.

@ lwt tc xdp
csum_diff 28 RSRSI s64 4.6 The difference that changed bytes make to a checksum.

@ lwt tc
get_route_realm 24 C u32 4.4 The realm of the packet's route.
skb_under_cgroup 33 CMI s64 4.8 Whether its socket is in the cgroup at an index.
get_hash_recalc 34 C u32 4.8 The packet's hash, worked out where it has none.

@ lwt_xmit sk_skb tc
skb_store_bytes 9 CIRSI s64 4.1 Write bytes into a packet.
skb_change_tail 38 CII s64 4.9 Cut or grow a packet at its end.
skb_change_head 43 CII s64 4.10 Room before a packet.

@ sk_skb tc
skb_adjust_room 50 CIII s64 4.13 Room within a packet, or less of it.

@ lwt_xmit tc xdp
redirect 23 II s64 4.4 Send the packet out of a device.

@ lwt_xmit tc
l3_csum_replace 10 CIIII s64 4.1 Mend the checksum of the IP header.
l4_csum_replace 11 CIIII s64 4.1 Mend the checksum of TCP, UDP or ICMP.
clone_redirect 13 CII s64 4.2 Send a copy of the packet out of a device.
skb_get_tunnel_key 20 COSI s64 4.3 What the tunnel's header says.
skb_set_tunnel_key 21 CRSI s64 4.3 What a tunnel's header is to say.
skb_get_tunnel_opt 29 COS s64 4.6 Options in the tunnel's header.
skb_set_tunnel_opt 30 CRS s64 4.6 Options for the tunnel's header.
csum_update 40 CI s64 4.9 Add to the packet's checksum.
csum_level 135 CI s64 5.8 How deep the packet's checksum was verified.
set_hash_invalid 41 C s64 4.9 Forget the packet's hash.

@ tc xdp
fib_lookup 69 COSI s64 4.18 The route and neighbour of a packet.
check_mtu 163 CIOII s64 5.12 Whether a packet fits a device.
tcp_check_syncookie 100 KAIAI s64 5.2 Whether an ACK carries a valid SYN cookie.
tcp_gen_syncookie 110 KAIAI s64 5.4 A SYN cookie for a SYN.
tcp_raw_gen_syncookie_ipv4 204 AAI s64 6.0 The same without a socket.
tcp_raw_gen_syncookie_ipv6 205 AAI s64 6.0 The same for IPv6.
tcp_raw_check_syncookie_ipv4 206 AA s64 6.0 Whether an ACK carries a valid one.
tcp_raw_check_syncookie_ipv6 207 AA s64 6.0 The same for IPv6.

@ sk_lookup tc
sk_assign 124 CKI s64 5.7 The socket that is to get the packet.

@ tc
skb_vlan_push 18 CNI s64 4.3 Give the packet a VLAN tag.
skb_vlan_pop 19 C s64 4.3 Take its VLAN tag.
skb_change_proto 31 CNI s64 4.8 From IPv4 to IPv6, or back.
skb_change_type 32 CI s64 4.8 For whom the packet counts.
set_hash 48 CI u32 4.13 The packet's hash.
skb_get_xfrm_state 66 CIOSI s64 4.18 An IPsec state of the packet.
skb_cgroup_classid 151 C u64 5.10 The net_cls class of the packet's socket.
redirect_neigh 152 IRSI s64 5.10 Send the packet out of a device, to its neighbour.
redirect_peer 155 II s64 5.10 Receive the packet at a device's peer.
skb_set_tstamp 192 CII s64 5.18 The packet's time of delivery.

@ xdp
xdp_adjust_head 44 CI s32 4.10 Move the start of the packet.
xdp_adjust_meta 54 CI s32 4.15 Room for metadata before the packet.
xdp_adjust_tail 65 CI s32 4.18 Move the end of the packet.
xdp_load_bytes 189 CIOS s64 5.18 Copy bytes of a packet with fragments.
xdp_store_bytes 190 CIRS s64 5.18 Write bytes into a packet with fragments.
redirect_map 51 MII s64 4.14 Send the packet to what a map has at an index.

@ sockops
sock_map_update 53 CMRI s64 4.14 Put the socket into a map of sockets.
sock_hash_update 70 CMRI s64 4.18 Put the socket into a hash of sockets.
sock_ops_cb_flags_set 59 CI s64 4.16 At what events to be called.
load_hdr_opt 142 COSI s64 5.10 A TCP option of the packet that came.
store_hdr_opt 143 CRSI s64 5.10 A TCP option for the packet that goes.
reserve_hdr_opt 144 CII s64 5.10 Room for a TCP option.

@ sk_skb
sk_redirect_map 52 CMII s64 4.14 Give the packet to the socket at an index.
sk_redirect_hash 72 CMRI s64 4.18 Give the packet to the socket of a key.

@ sk_msg
msg_redirect_map 60 CMII s64 4.17 Give the message to the socket at an index.
msg_redirect_hash 71 CMRI s64 4.18 Give the message to the socket of a key.
msg_apply_bytes 61 CI s64 4.17 For how many bytes the verdict holds.
msg_cork_bytes 62 CI s64 4.17 Wait until so many bytes are there.
msg_pull_data 63 CIII s64 4.17 Make bytes directly readable.
msg_push_data 90 CIII s64 4.20 Room within a message.
msg_pop_data 91 CIII s64 5.0 Take bytes out of a message.

@ sk_reuseport
sk_select_reuseport 82 CMRI s64 4.19 The socket of the group that is to get the packet.

@ sysctl
sysctl_get_name 101 COSI s64 5.2 The name of the sysctl.
sysctl_get_current_value 102 COS s64 5.2 Its value.
sysctl_get_new_value 103 COS s64 5.2 The value that is written.
sysctl_set_new_value 104 CRS s64 5.2 Another value in its place.

@ lwt_in lwt_xmit
lwt_push_encap 73 CIRS s64 4.18 A header before the packet.

@ lwt_seg6local
lwt_seg6_store_bytes 74 CIRS s64 4.18 Write into the segment routing header.
lwt_seg6_adjust_srh 75 CII s64 4.18 Room for its options.
lwt_seg6_action 76 CIRS s64 4.18 An action of segment routing.

@ struct_ops
tcp_send_ack 116 KI s64 5.5 Acknowledge what came, at once.
"""
