"""Names of well-known ports, by IANA's Service Name and Transport Protocol Port Number Registry: those met daily.

A machine's own /etc/services is not used: where it lacks, answers would look otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

_BOTH = (
    "7 echo,9 discard,13 daytime,17 qotd,19 chargen,20 ftp-data,21 ftp,22 ssh,23 telnet,25 smtp,37 time,43 nicname,"
    "49 tacacs,53 domain,67 bootps,68 bootpc,69 tftp,70 gopher,79 finger,80 http,88 kerberos,102 iso-tsap,110 pop3,"
    "111 sunrpc,113 auth,119 nntp,123 ntp,135 epmap,137 netbios-ns,138 netbios-dgm,139 netbios-ssn,143 imap,161 snmp,"
    "162 snmptrap,177 xdmcp,179 bgp,194 irc,264 bgmp,319 ptp-event,320 ptp-general,389 ldap,427 svrloc,443 https,"
    "444 snpp,445 microsoft-ds,464 kpasswd,465 submissions,500 isakmp,512 exec,513 login,514 shell,515 printer,"
    "520 router,546 dhcpv6-client,547 dhcpv6-server,548 afpovertcp,554 rtsp,563 nntps,587 submission,623 asf-rmcp,"
    "631 ipp,636 ldaps,646 ldp,853 domain-s,860 iscsi,873 rsync,989 ftps-data,990 ftps,992 telnets,993 imaps,"
    "995 pop3s,1080 socks,1194 openvpn,1433 ms-sql-s,1434 ms-sql-m,1521 ncube-lm,1645 sightline,1646 sa-msg-port,"
    "1701 l2tp,1723 pptp,1812 radius,1813 radius-acct,1883 mqtt,1900 ssdp,2049 nfs,2055 iop,2123 gtp-control,"
    "2152 gtp-user,2181 eforward,2375 docker,2376 docker-s,2379 etcd-client,2380 etcd-server,3074 xbox,3128 ndl-aas,"
    "3268 msft-gc,3260 iscsi-target,3269 msft-gc-ssl,3306 mysql,3389 ms-wbt-server,3478 stun,3702 ws-discovery,"
    "3784 bfd-control,3785 bfd-echo,4369 epmd,4500 ipsec-nat-t,4739 ipfix,4740 ipfixs,4789 vxlan,5000 commplex-main,"
    "5004 avt-profile-1,5005 avt-profile-2,5060 sip,5061 sips,5222 xmpp-client,5269 xmpp-server,5349 stuns,5353 mdns,"
    "5355 llmnr,5432 postgresql,5671 amqps,5672 amqp,5683 coap,5684 coaps,5900 rfb,5985 wsman,5986 wsmans,6081 geneve,"
    "6343 sflow,6379 redis,6443 sun-sr-https,6514 syslog-tls,6653 openflow,6667 ircu,6697 ircs-u,7946 dbabble,"
    "8008 http-alt,8080 http-alt,8443 pcsync-https,8472 otv,8883 secure-mqtt,9000 cslistener,"
    "9092 XmlIpcRegSvc,9100 pdl-datastream,9200 wap-wsp,9418 git,10050 zabbix-agent,10051 zabbix-trapper,"
    "11211 memcache,17500 db-lsp,27017 mongodb"
)
_UDP = "514 syslog,513 who,512 biff,443 https,520 router,53 domain,67 bootps,2055 iop,3544 teredo"
_TCP_NUMBER, _UDP_NUMBER = 6, 17


def _table(text: str) -> dict[int, str]:
    return {int(port): name for port, name in (entry.split(" ") for entry in text.split(","))}


SERVICES: Mapping[int, str] = _table(_BOTH)
"""By port."""
_OF_UDP: Mapping[int, str] = _table(_UDP)


def service(port: int, proto: int | None = None) -> str:
    """Return what a port is registered for, empty where it is not in the table; `proto` is the IP protocol if known.

    Ports of protocols other than TCP, UDP, DCCP and SCTP have no name.
    """
    if proto not in (None, _TCP_NUMBER, _UDP_NUMBER, 33, 132):
        return ""
    if proto == _UDP_NUMBER and port in _OF_UDP:
        return _OF_UDP[port]
    return SERVICES.get(port, "")
