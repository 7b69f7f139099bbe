"""The datapath of a pod: who it talks to, whether it may, and where its packets for a service go.

``pod`` has the two programs, for the node's end of the pod's veth pair: ``from_pod`` at its ingress, ``to_pod`` at its
egress. The other modules are steps of what they do, and ``desired`` is the plain half that fills their maps.

What it has not: fragments are dropped, for all but the first lack ports; a pod that is a backend of the service that it
asks does not reach itself; an ICMP error that the pod itself sends about a service's answer is dropped.
"""
