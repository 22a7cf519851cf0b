"""The names and abstract data types of information elements, for people: what a datagram and a template are shown with.

Sources: the IANA IPFIX registry (as of 2026-07-22), RFC 3954 section 6.1, RFC 5103, and the vendors' own lists as
libfixbuf, Wireshark 4.0 and logstash know them. Decoding itself needs none of this: `decoders.elements` is its table.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import NamedTuple

from decoders.elements import REVERSE_ENTERPRISE, SCOPE_ENTERPRISE

CERT = 6871
NTOP = 35632
_NTOP_IN_V9 = 57472
_CERT_REVERSE = 0x4000


class DataType(StrEnum):
    """An abstract data type (RFC 7012 section 3.1, RFC 6313 section 4.1, RFC 9740 section 3)."""

    UNKNOWN = ""
    UNSIGNED8 = "unsigned8"
    UNSIGNED16 = "unsigned16"
    UNSIGNED32 = "unsigned32"
    UNSIGNED64 = "unsigned64"
    UNSIGNED256 = "unsigned256"
    SIGNED8 = "signed8"
    SIGNED16 = "signed16"
    SIGNED32 = "signed32"
    SIGNED64 = "signed64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BOOLEAN = "boolean"
    MAC_ADDRESS = "macAddress"
    OCTET_ARRAY = "octetArray"
    STRING = "string"
    DATE_TIME_SECONDS = "dateTimeSeconds"
    DATE_TIME_MILLISECONDS = "dateTimeMilliseconds"
    DATE_TIME_MICROSECONDS = "dateTimeMicroseconds"
    DATE_TIME_NANOSECONDS = "dateTimeNanoseconds"
    IPV4_ADDRESS = "ipv4Address"
    IPV6_ADDRESS = "ipv6Address"
    BASIC_LIST = "basicList"
    SUB_TEMPLATE_LIST = "subTemplateList"
    SUB_TEMPLATE_MULTI_LIST = "subTemplateMultiList"


class Entry(NamedTuple):
    """What the registry says of an element; `unit` is empty where it has none."""

    name: str
    type: DataType
    unit: str


def entry_of(enterprise: int, id_: int) -> Entry | None:
    """Return what is known of an element, None where nothing is.

    Enterprise 29305 is RFC 5103's reverse elements; CERT sets the bit 0x4000 of its own elements for the same.
    """
    if enterprise == REVERSE_ENTERPRISE:
        return _reversed(registry().get((0, id_)))
    found = registry().get((enterprise, id_))
    if found is None and enterprise == CERT and id_ & _CERT_REVERSE:
        return _reversed(registry().get((CERT, id_ & ~_CERT_REVERSE)))
    if found is None and enterprise == 0:
        return registry().get((NTOP, id_ - _NTOP_IN_V9))
    return found


def name_of(enterprise: int, id_: int) -> str:
    """Return an element's name; one that is not known is called by its numbers."""
    found = entry_of(enterprise, id_)
    if found is not None:
        return found.name
    if enterprise == SCOPE_ENTERPRISE:
        return f"scope {id_}"
    return f"enterprise {enterprise} element {id_}" if enterprise else f"element {id_}"


def type_of(enterprise: int, id_: int) -> DataType:
    """Return an element's abstract data type; UNKNOWN, an empty string, where it is not known."""
    found = entry_of(enterprise, id_)
    return found.type if found else DataType.UNKNOWN


def unit_of(enterprise: int, id_: int) -> str:
    """Return an element's unit as the registry has it, such as `octets`; empty where there is none."""
    found = entry_of(enterprise, id_)
    return found.unit if found else ""


def _reversed(forward: Entry | None) -> Entry | None:
    """Return the reverse of an element: RFC 5103 section 6.1 names it by its forward one."""
    return forward and forward._replace(name="reverse" + forward.name[:1].upper() + forward.name[1:])


_IANA = """
1 octetDeltaCount unsigned64 octets
2 packetDeltaCount unsigned64 packets
3 deltaFlowCount unsigned64 flows
4 protocolIdentifier unsigned8
5 ipClassOfService unsigned8
6 tcpControlBits unsigned16
7 sourceTransportPort unsigned16
8 sourceIPv4Address ipv4Address
9 sourceIPv4PrefixLength unsigned8 bits
10 ingressInterface unsigned32
11 destinationTransportPort unsigned16
12 destinationIPv4Address ipv4Address
13 destinationIPv4PrefixLength unsigned8 bits
14 egressInterface unsigned32
15 ipNextHopIPv4Address ipv4Address
16 bgpSourceAsNumber unsigned32
17 bgpDestinationAsNumber unsigned32
18 bgpNextHopIPv4Address ipv4Address
19 postMCastPacketDeltaCount unsigned64 packets
20 postMCastOctetDeltaCount unsigned64 octets
21 flowEndSysUpTime unsigned32 milliseconds
22 flowStartSysUpTime unsigned32 milliseconds
23 postOctetDeltaCount unsigned64 octets
24 postPacketDeltaCount unsigned64 packets
25 minimumIpTotalLength unsigned64 octets
26 maximumIpTotalLength unsigned64 octets
27 sourceIPv6Address ipv6Address
28 destinationIPv6Address ipv6Address
29 sourceIPv6PrefixLength unsigned8 bits
30 destinationIPv6PrefixLength unsigned8 bits
31 flowLabelIPv6 unsigned32
32 icmpTypeCodeIPv4 unsigned16
33 igmpType unsigned8
34 samplingInterval unsigned32 packets
35 samplingAlgorithm unsigned8
36 flowActiveTimeout unsigned16 seconds
37 flowIdleTimeout unsigned16 seconds
38 engineType unsigned8
39 engineId unsigned8
40 exportedOctetTotalCount unsigned64 octets
41 exportedMessageTotalCount unsigned64 messages
42 exportedFlowRecordTotalCount unsigned64 flows
43 ipv4RouterSc ipv4Address
44 sourceIPv4Prefix ipv4Address
45 destinationIPv4Prefix ipv4Address
46 mplsTopLabelType unsigned8
47 mplsTopLabelIPv4Address ipv4Address
48 samplerId unsigned8
49 samplerMode unsigned8
50 samplerRandomInterval unsigned32
51 classId unsigned8
52 minimumTTL unsigned8 hops
53 maximumTTL unsigned8 hops
54 fragmentIdentification unsigned32
55 postIpClassOfService unsigned8
56 sourceMacAddress macAddress
57 postDestinationMacAddress macAddress
58 vlanId unsigned16
59 postVlanId unsigned16
60 ipVersion unsigned8
61 flowDirection unsigned8
62 ipNextHopIPv6Address ipv6Address
63 bgpNextHopIPv6Address ipv6Address
64 ipv6ExtensionHeaders unsigned32
70 mplsTopLabelStackSection octetArray
71 mplsLabelStackSection2 octetArray
72 mplsLabelStackSection3 octetArray
73 mplsLabelStackSection4 octetArray
74 mplsLabelStackSection5 octetArray
75 mplsLabelStackSection6 octetArray
76 mplsLabelStackSection7 octetArray
77 mplsLabelStackSection8 octetArray
78 mplsLabelStackSection9 octetArray
79 mplsLabelStackSection10 octetArray
80 destinationMacAddress macAddress
81 postSourceMacAddress macAddress
82 interfaceName string
83 interfaceDescription string
84 samplerName string
85 octetTotalCount unsigned64 octets
86 packetTotalCount unsigned64 packets
87 flagsAndSamplerId unsigned32
88 fragmentOffset unsigned16
89 forwardingStatus unsigned32
90 mplsVpnRouteDistinguisher octetArray
91 mplsTopLabelPrefixLength unsigned8 bits
92 srcTrafficIndex unsigned32
93 dstTrafficIndex unsigned32
94 applicationDescription string
95 applicationId octetArray
96 applicationName string
98 postIpDiffServCodePoint unsigned8
99 multicastReplicationFactor unsigned32
100 className string
101 classificationEngineId unsigned8
102 layer2packetSectionOffset unsigned16
103 layer2packetSectionSize unsigned16
104 layer2packetSectionData octetArray
128 bgpNextAdjacentAsNumber unsigned32
129 bgpPrevAdjacentAsNumber unsigned32
130 exporterIPv4Address ipv4Address
131 exporterIPv6Address ipv6Address
132 droppedOctetDeltaCount unsigned64 octets
133 droppedPacketDeltaCount unsigned64 packets
134 droppedOctetTotalCount unsigned64 octets
135 droppedPacketTotalCount unsigned64 packets
136 flowEndReason unsigned8
137 commonPropertiesId unsigned64
138 observationPointId unsigned64
139 icmpTypeCodeIPv6 unsigned16
140 mplsTopLabelIPv6Address ipv6Address
141 lineCardId unsigned32
142 portId unsigned32
143 meteringProcessId unsigned32
144 exportingProcessId unsigned32
145 templateId unsigned16
146 wlanChannelId unsigned8
147 wlanSSID string
148 flowId unsigned64
149 observationDomainId unsigned32
150 flowStartSeconds dateTimeSeconds seconds
151 flowEndSeconds dateTimeSeconds seconds
152 flowStartMilliseconds dateTimeMilliseconds milliseconds
153 flowEndMilliseconds dateTimeMilliseconds milliseconds
154 flowStartMicroseconds dateTimeMicroseconds microseconds
155 flowEndMicroseconds dateTimeMicroseconds microseconds
156 flowStartNanoseconds dateTimeNanoseconds nanoseconds
157 flowEndNanoseconds dateTimeNanoseconds nanoseconds
158 flowStartDeltaMicroseconds unsigned32 microseconds
159 flowEndDeltaMicroseconds unsigned32 microseconds
160 systemInitTimeMilliseconds dateTimeMilliseconds milliseconds
161 flowDurationMilliseconds unsigned32 milliseconds
162 flowDurationMicroseconds unsigned32 microseconds
163 observedFlowTotalCount unsigned64 flows
164 ignoredPacketTotalCount unsigned64 packets
165 ignoredOctetTotalCount unsigned64 octets
166 notSentFlowTotalCount unsigned64 flows
167 notSentPacketTotalCount unsigned64 packets
168 notSentOctetTotalCount unsigned64 octets
169 destinationIPv6Prefix ipv6Address
170 sourceIPv6Prefix ipv6Address
171 postOctetTotalCount unsigned64 octets
172 postPacketTotalCount unsigned64 packets
173 flowKeyIndicator unsigned64
174 postMCastPacketTotalCount unsigned64 packets
175 postMCastOctetTotalCount unsigned64 octets
176 icmpTypeIPv4 unsigned8
177 icmpCodeIPv4 unsigned8
178 icmpTypeIPv6 unsigned8
179 icmpCodeIPv6 unsigned8
180 udpSourcePort unsigned16
181 udpDestinationPort unsigned16
182 tcpSourcePort unsigned16
183 tcpDestinationPort unsigned16
184 tcpSequenceNumber unsigned32
185 tcpAcknowledgementNumber unsigned32
186 tcpWindowSize unsigned16
187 tcpUrgentPointer unsigned16
188 tcpHeaderLength unsigned8 octets
189 ipHeaderLength unsigned8 octets
190 totalLengthIPv4 unsigned16 octets
191 payloadLengthIPv6 unsigned16 octets
192 ipTTL unsigned8 hops
193 nextHeaderIPv6 unsigned8
194 mplsPayloadLength unsigned32 octets
195 ipDiffServCodePoint unsigned8
196 ipPrecedence unsigned8
197 fragmentFlags unsigned8
198 octetDeltaSumOfSquares unsigned64
199 octetTotalSumOfSquares unsigned64 octets
200 mplsTopLabelTTL unsigned8 hops
201 mplsLabelStackLength unsigned32 octets
202 mplsLabelStackDepth unsigned32 entries
203 mplsTopLabelExp unsigned8
204 ipPayloadLength unsigned32 octets
205 udpMessageLength unsigned16 octets
206 isMulticast unsigned8
207 ipv4IHL unsigned8 4-octet words
208 ipv4Options unsigned32
209 tcpOptions unsigned64
210 paddingOctets octetArray
211 collectorIPv4Address ipv4Address
212 collectorIPv6Address ipv6Address
213 exportInterface unsigned32
214 exportProtocolVersion unsigned8
215 exportTransportProtocol unsigned8
216 collectorTransportPort unsigned16
217 exporterTransportPort unsigned16
218 tcpSynTotalCount unsigned64 packets
219 tcpFinTotalCount unsigned64 packets
220 tcpRstTotalCount unsigned64 packets
221 tcpPshTotalCount unsigned64 packets
222 tcpAckTotalCount unsigned64 packets
223 tcpUrgTotalCount unsigned64 packets
224 ipTotalLength unsigned64 octets
225 postNATSourceIPv4Address ipv4Address
226 postNATDestinationIPv4Address ipv4Address
227 postNAPTSourceTransportPort unsigned16
228 postNAPTDestinationTransportPort unsigned16
229 natOriginatingAddressRealm unsigned8
230 natEvent unsigned8
231 initiatorOctets unsigned64 octets
232 responderOctets unsigned64 octets
233 firewallEvent unsigned8
234 ingressVRFID unsigned32
235 egressVRFID unsigned32
236 VRFname string
237 postMplsTopLabelExp unsigned8
238 tcpWindowScale unsigned16
239 biflowDirection unsigned8
240 ethernetHeaderLength unsigned8 octets
241 ethernetPayloadLength unsigned16 octets
242 ethernetTotalLength unsigned16 octets
243 dot1qVlanId unsigned16
244 dot1qPriority unsigned8
245 dot1qCustomerVlanId unsigned16
246 dot1qCustomerPriority unsigned8
247 metroEvcId string
248 metroEvcType unsigned8
249 pseudoWireId unsigned32
250 pseudoWireType unsigned16
251 pseudoWireControlWord unsigned32
252 ingressPhysicalInterface unsigned32
253 egressPhysicalInterface unsigned32
254 postDot1qVlanId unsigned16
255 postDot1qCustomerVlanId unsigned16
256 ethernetType unsigned16
257 postIpPrecedence unsigned8
258 collectionTimeMilliseconds dateTimeMilliseconds milliseconds
259 exportSctpStreamId unsigned16
260 maxExportSeconds dateTimeSeconds seconds
261 maxFlowEndSeconds dateTimeSeconds seconds
262 messageMD5Checksum octetArray
263 messageScope unsigned8
264 minExportSeconds dateTimeSeconds seconds
265 minFlowStartSeconds dateTimeSeconds seconds
266 opaqueOctets octetArray
267 sessionScope unsigned8
268 maxFlowEndMicroseconds dateTimeMicroseconds microseconds
269 maxFlowEndMilliseconds dateTimeMilliseconds milliseconds
270 maxFlowEndNanoseconds dateTimeNanoseconds nanoseconds
271 minFlowStartMicroseconds dateTimeMicroseconds microseconds
272 minFlowStartMilliseconds dateTimeMilliseconds milliseconds
273 minFlowStartNanoseconds dateTimeNanoseconds nanoseconds
274 collectorCertificate octetArray
275 exporterCertificate octetArray
276 dataRecordsReliability boolean
277 observationPointType unsigned8
278 newConnectionDeltaCount unsigned32
279 connectionSumDurationSeconds unsigned64 seconds
280 connectionTransactionId unsigned64
281 postNATSourceIPv6Address ipv6Address
282 postNATDestinationIPv6Address ipv6Address
283 natPoolId unsigned32
284 natPoolName string
285 anonymizationFlags unsigned16
286 anonymizationTechnique unsigned16
287 informationElementIndex unsigned16
288 p2pTechnology string
289 tunnelTechnology string
290 encryptedTechnology string
291 basicList basicList
292 subTemplateList subTemplateList
293 subTemplateMultiList subTemplateMultiList
294 bgpValidityState unsigned8
295 IPSecSPI unsigned32
296 greKey unsigned32
297 natType unsigned8
298 initiatorPackets unsigned64 packets
299 responderPackets unsigned64 packets
300 observationDomainName string
301 selectionSequenceId unsigned64
302 selectorId unsigned64
303 informationElementId unsigned16
304 selectorAlgorithm unsigned16
305 samplingPacketInterval unsigned32 packets
306 samplingPacketSpace unsigned32 packets
307 samplingTimeInterval unsigned32 microseconds
308 samplingTimeSpace unsigned32 microseconds
309 samplingSize unsigned32 packets
310 samplingPopulation unsigned32 packets
311 samplingProbability float64
312 dataLinkFrameSize unsigned16
313 ipHeaderPacketSection octetArray
314 ipPayloadPacketSection octetArray
315 dataLinkFrameSection octetArray
316 mplsLabelStackSection octetArray
317 mplsPayloadPacketSection octetArray
318 selectorIdTotalPktsObserved unsigned64 packets
319 selectorIdTotalPktsSelected unsigned64 packets
320 absoluteError float64
321 relativeError float64
322 observationTimeSeconds dateTimeSeconds seconds
323 observationTimeMilliseconds dateTimeMilliseconds milliseconds
324 observationTimeMicroseconds dateTimeMicroseconds microseconds
325 observationTimeNanoseconds dateTimeNanoseconds nanoseconds
326 digestHashValue unsigned64
327 hashIPPayloadOffset unsigned64
328 hashIPPayloadSize unsigned64
329 hashOutputRangeMin unsigned64
330 hashOutputRangeMax unsigned64
331 hashSelectedRangeMin unsigned64
332 hashSelectedRangeMax unsigned64
333 hashDigestOutput boolean
334 hashInitialiserValue unsigned64
335 selectorName string
336 upperCILimit float64
337 lowerCILimit float64
338 confidenceLevel float64
339 informationElementDataType unsigned8
340 informationElementDescription string
341 informationElementName string
342 informationElementRangeBegin unsigned64
343 informationElementRangeEnd unsigned64
344 informationElementSemantics unsigned8
345 informationElementUnits unsigned16
346 privateEnterpriseNumber unsigned32
347 virtualStationInterfaceId octetArray
348 virtualStationInterfaceName string
349 virtualStationUUID octetArray
350 virtualStationName string
351 layer2SegmentId unsigned64
352 layer2OctetDeltaCount unsigned64 octets
353 layer2OctetTotalCount unsigned64 octets
354 ingressUnicastPacketTotalCount unsigned64 packets
355 ingressMulticastPacketTotalCount unsigned64 packets
356 ingressBroadcastPacketTotalCount unsigned64 packets
357 egressUnicastPacketTotalCount unsigned64 packets
358 egressBroadcastPacketTotalCount unsigned64 packets
359 monitoringIntervalStartMilliSeconds dateTimeMilliseconds milliseconds
360 monitoringIntervalEndMilliSeconds dateTimeMilliseconds milliseconds
361 portRangeStart unsigned16
362 portRangeEnd unsigned16
363 portRangeStepSize unsigned16
364 portRangeNumPorts unsigned16
365 staMacAddress macAddress
366 staIPv4Address ipv4Address
367 wtpMacAddress macAddress
368 ingressInterfaceType unsigned32
369 egressInterfaceType unsigned32
370 rtpSequenceNumber unsigned16
371 userName string
372 applicationCategoryName string
373 applicationSubCategoryName string
374 applicationGroupName string
375 originalFlowsPresent unsigned64 flows
376 originalFlowsInitiated unsigned64 flows
377 originalFlowsCompleted unsigned64 flows
378 distinctCountOfSourceIPAddress unsigned64
379 distinctCountOfDestinationIPAddress unsigned64
380 distinctCountOfSourceIPv4Address unsigned32
381 distinctCountOfDestinationIPv4Address unsigned32
382 distinctCountOfSourceIPv6Address unsigned64
383 distinctCountOfDestinationIPv6Address unsigned64
384 valueDistributionMethod unsigned8
385 rfc3550JitterMilliseconds unsigned32 milliseconds
386 rfc3550JitterMicroseconds unsigned32 microseconds
387 rfc3550JitterNanoseconds unsigned32 nanoseconds
388 dot1qDEI boolean
389 dot1qCustomerDEI boolean
390 flowSelectorAlgorithm unsigned16
391 flowSelectedOctetDeltaCount unsigned64 octets
392 flowSelectedPacketDeltaCount unsigned64 packets
393 flowSelectedFlowDeltaCount unsigned64 flows
394 selectorIDTotalFlowsObserved unsigned64 flows
395 selectorIDTotalFlowsSelected unsigned64 flows
396 samplingFlowInterval unsigned64 flows
397 samplingFlowSpacing unsigned64 flows
398 flowSamplingTimeInterval unsigned64 microseconds
399 flowSamplingTimeSpacing unsigned64 microseconds
400 hashFlowDomain unsigned16
401 transportOctetDeltaCount unsigned64 octets
402 transportPacketDeltaCount unsigned64 packets
403 originalExporterIPv4Address ipv4Address
404 originalExporterIPv6Address ipv6Address
405 originalObservationDomainId unsigned32
406 intermediateProcessId unsigned32
407 ignoredDataRecordTotalCount unsigned64
408 dataLinkFrameType unsigned16
409 sectionOffset unsigned16
410 sectionExportedOctets unsigned16
411 dot1qServiceInstanceTag octetArray
412 dot1qServiceInstanceId unsigned32
413 dot1qServiceInstancePriority unsigned8
414 dot1qCustomerSourceMacAddress macAddress
415 dot1qCustomerDestinationMacAddress macAddress
417 postLayer2OctetDeltaCount unsigned64 octets
418 postMCastLayer2OctetDeltaCount unsigned64 octets
420 postLayer2OctetTotalCount unsigned64 octets
421 postMCastLayer2OctetTotalCount unsigned64 octets
422 minimumLayer2TotalLength unsigned64 octets
423 maximumLayer2TotalLength unsigned64 octets
424 droppedLayer2OctetDeltaCount unsigned64 octets
425 droppedLayer2OctetTotalCount unsigned64 octets
426 ignoredLayer2OctetTotalCount unsigned64 octets
427 notSentLayer2OctetTotalCount unsigned64 octets
428 layer2OctetDeltaSumOfSquares unsigned64 octets
429 layer2OctetTotalSumOfSquares unsigned64 octets
430 layer2FrameDeltaCount unsigned64 frames
431 layer2FrameTotalCount unsigned64 frames
432 pseudoWireDestinationIPv4Address ipv4Address
433 ignoredLayer2FrameTotalCount unsigned64 frames
434 mibObjectValueInteger signed32
435 mibObjectValueOctetString octetArray
436 mibObjectValueOID octetArray
437 mibObjectValueBits octetArray
438 mibObjectValueIPAddress ipv4Address
439 mibObjectValueCounter unsigned64
440 mibObjectValueGauge unsigned32
441 mibObjectValueTimeTicks unsigned32
442 mibObjectValueUnsigned unsigned32
443 mibObjectValueTable subTemplateList
444 mibObjectValueRow subTemplateList
445 mibObjectIdentifier octetArray
446 mibSubIdentifier unsigned32
447 mibIndexIndicator unsigned64
448 mibCaptureTimeSemantics unsigned8
449 mibContextEngineID octetArray
450 mibContextName string
451 mibObjectName string
452 mibObjectDescription string
453 mibObjectSyntax string
454 mibModuleName string
455 mobileIMSI string
456 mobileMSISDN string
457 httpStatusCode unsigned16
458 sourceTransportPortsLimit unsigned16 ports
459 httpRequestMethod string
460 httpRequestHost string
461 httpRequestTarget string
462 httpMessageVersion string
463 natInstanceID unsigned32
464 internalAddressRealm octetArray
465 externalAddressRealm octetArray
466 natQuotaExceededEvent unsigned32
467 natThresholdEvent unsigned32
468 httpUserAgent string
469 httpContentType string
470 httpReasonPhrase string
471 maxSessionEntries unsigned32
472 maxBIBEntries unsigned32
473 maxEntriesPerUser unsigned32
474 maxSubscribers unsigned32
475 maxFragmentsPendingReassembly unsigned32
476 addressPoolHighThreshold unsigned32
477 addressPoolLowThreshold unsigned32
478 addressPortMappingHighThreshold unsigned32
479 addressPortMappingLowThreshold unsigned32
480 addressPortMappingPerUserHighThreshold unsigned32
481 globalAddressMappingHighThreshold unsigned32
482 vpnIdentifier octetArray
483 bgpCommunity unsigned32
484 bgpSourceCommunityList basicList
485 bgpDestinationCommunityList basicList
486 bgpExtendedCommunity octetArray
487 bgpSourceExtendedCommunityList basicList
488 bgpDestinationExtendedCommunityList basicList
489 bgpLargeCommunity octetArray
490 bgpSourceLargeCommunityList basicList
491 bgpDestinationLargeCommunityList basicList
492 srhFlagsIPv6 unsigned8
493 srhTagIPv6 unsigned16
494 srhSegmentIPv6 ipv6Address
495 srhActiveSegmentIPv6 ipv6Address
496 srhSegmentIPv6BasicList basicList
497 srhSegmentIPv6ListSection octetArray
498 srhSegmentsIPv6Left unsigned8
499 srhIPv6Section octetArray
500 srhIPv6ActiveSegmentType unsigned8
501 srhSegmentIPv6LocatorLength unsigned8
502 srhSegmentIPv6EndpointBehavior unsigned16
503 transportChecksum unsigned16
504 icmpHeaderPacketSection octetArray
505 gtpuFlags unsigned8
506 gtpuMsgType unsigned8
507 gtpuTEid unsigned32
508 gtpuSequenceNum unsigned16
509 gtpuQFI unsigned8
510 gtpuPduType unsigned8
511 bgpSourceAsPathList basicList
512 bgpDestinationAsPathList basicList
513 ipv6ExtensionHeaderType unsigned8
514 ipv6ExtensionHeaderCount unsigned8
515 ipv6ExtensionHeadersFull unsigned256
516 ipv6ExtensionHeaderTypeCountList subTemplateList
517 ipv6ExtensionHeadersLimit boolean
518 ipv6ExtensionHeadersChainLength unsigned32
519 ipv6ExtensionHeaderChainLengthList subTemplateList
520 tcpOptionsFull unsigned256
521 tcpSharedOptionExID16 unsigned16
522 tcpSharedOptionExID32 unsigned32
523 tcpSharedOptionExID16List basicList
524 tcpSharedOptionExID32List basicList
525 udpSafeOptions unsigned256
526 udpUnsafeOptions unsigned64
527 udpExID unsigned16
528 udpSafeExIDList basicList
529 udpUnsafeExIDList basicList
530 pathDelayMeanDeltaMicroseconds unsigned32
531 pathDelayMinDeltaMicroseconds unsigned32
532 pathDelayMaxDeltaMicroseconds unsigned32
533 pathDelaySumDeltaMicroseconds unsigned64
"""
"""The IANA registry, as of 2026-07-22."""

_PRIVATE = """
33000 NF_F_INGRESS_ACL_ID octetArray
33001 NF_F_EGRESS_ACL_ID octetArray
33002 NF_F_FW_EXT_EVENT unsigned16
40000 NF_F_USERNAME string
40001 NF_F_XLATE_SRC_ADDR_IPV4 ipv4Address
40002 NF_F_XLATE_DST_ADDR_IPV4 ipv4Address
40003 NF_F_XLATE_SRC_PORT unsigned16
40004 NF_F_XLATE_DST_PORT unsigned16
40005 NF_F_FW_EVENT unsigned8
56701 App-ID string
56702 User-ID string
"""
"""Types above 32767 of NetFlow v9, which names no enterprise: Cisco ASA (33000 to 40005), Palo Alto Networks."""

_SCOPES = """
1 System -
2 Interface unsigned32
3 LineCard -
4 Cache -
5 Template unsigned16
"""
"""NetFlow v9's scope types (RFC 3954 section 6.1)."""

_NTOP = """
80 SRC_FRAGMENTS unsigned16
81 DST_FRAGMENTS unsigned16
82 SRC_TO_DST_MAX_THROUGHPUT unsigned32
83 SRC_TO_DST_MIN_THROUGHPUT unsigned32
84 SRC_TO_DST_AVG_THROUGHPUT unsigned32
85 DST_TO_SRC_MAX_THROUGHPUT unsigned32
86 DST_TO_SRC_MIN_THROUGHPUT unsigned32
87 DST_TO_SRC_AVG_THROUGHPUT unsigned32
88 NUM_PKTS_UP_TO_128_BYTES unsigned32 packets
89 NUM_PKTS_128_TO_256_BYTES unsigned32 packets
90 NUM_PKTS_256_TO_512_BYTES unsigned32 packets
91 NUM_PKTS_512_TO_1024_BYTES unsigned32 packets
92 NUM_PKTS_1024_TO_1514_BYTES unsigned32 packets
93 NUM_PKTS_OVER_1514_BYTES unsigned32 packets
98 CUMULATIVE_ICMP_TYPE unsigned16
101 SRC_IP_COUNTRY string
102 SRC_IP_CITY string
103 DST_IP_COUNTRY string
104 DST_IP_CITY string
105 FLOW_PROTO_PORT unsigned16
106 UPSTREAM_TUNNEL_ID unsigned32
107 LONGEST_FLOW_PKT unsigned16 octets
108 SHORTEST_FLOW_PKT unsigned16 octets
109 RETRANSMITTED_IN_PKTS unsigned32 packets
110 RETRANSMITTED_OUT_PKTS unsigned32 packets
111 OOORDER_IN_PKTS unsigned32 packets
112 OOORDER_OUT_PKTS unsigned32 packets
113 UNTUNNELED_PROTOCOL unsigned8
114 UNTUNNELED_IPV4_SRC_ADDR ipv4Address
115 UNTUNNELED_L4_SRC_PORT unsigned16
116 UNTUNNELED_IPV4_DST_ADDR ipv4Address
117 UNTUNNELED_L4_DST_PORT unsigned16
118 L7_PROTO unsigned16
119 L7_PROTO_NAME string
120 DOWNSTREAM_TUNNEL_ID unsigned32
121 FLOW_USER_NAME string
122 FLOW_SERVER_NAME string
123 CLIENT_NW_LATENCY_MS unsigned32 milliseconds
124 SERVER_NW_LATENCY_MS unsigned32 milliseconds
125 APPL_LATENCY_MS unsigned32 milliseconds
126 PLUGIN_NAME string
127 RETRANSMITTED_IN_BYTES unsigned32 octets
128 RETRANSMITTED_OUT_BYTES unsigned32 octets
130 SIP_CALL_ID string
131 SIP_CALLING_PARTY string
132 SIP_CALLED_PARTY string
133 SIP_RTP_CODECS string
134 SIP_INVITE_TIME dateTimeSeconds
135 SIP_TRYING_TIME dateTimeSeconds
136 SIP_RINGING_TIME dateTimeSeconds
137 SIP_INVITE_OK_TIME dateTimeSeconds
138 SIP_INVITE_FAILURE_TIME dateTimeSeconds
139 SIP_BYE_TIME dateTimeSeconds
140 SIP_BYE_OK_TIME dateTimeSeconds
141 SIP_CANCEL_TIME dateTimeSeconds
142 SIP_CANCEL_OK_TIME dateTimeSeconds
143 SIP_RTP_IPV4_SRC_ADDR ipv4Address
144 SIP_RTP_L4_SRC_PORT unsigned16
145 SIP_RTP_IPV4_DST_ADDR ipv4Address
146 SIP_RTP_L4_DST_PORT unsigned16
147 SIP_RESPONSE_CODE unsigned32
148 SIP_REASON_CAUSE unsigned32
150 RTP_FIRST_SEQ unsigned32
151 RTP_FIRST_TS unsigned32
152 RTP_LAST_SEQ unsigned32
153 RTP_LAST_TS unsigned32
154 RTP_IN_JITTER unsigned32
155 RTP_OUT_JITTER unsigned32
156 RTP_IN_PKT_LOST unsigned32
157 RTP_OUT_PKT_LOST unsigned32
158 RTP_OUT_PAYLOAD_TYPE unsigned8
159 RTP_IN_MAX_DELTA unsigned32
160 RTP_OUT_MAX_DELTA unsigned32
161 RTP_IN_PAYLOAD_TYPE unsigned8
168 SRC_PROC_PID unsigned32
169 SRC_PROC_NAME string
180 HTTP_URL string
181 HTTP_RET_CODE unsigned16
182 HTTP_REFERER string
183 HTTP_UA string
184 HTTP_MIME string
185 SMTP_MAIL_FROM string
186 SMTP_RCPT_TO string
187 HTTP_HOST string
188 SSL_SERVER_NAME string
189 BITTORRENT_HASH string
195 MYSQL_SRV_VERSION string
196 MYSQL_USERNAME string
197 MYSQL_DB string
198 MYSQL_QUERY string
199 MYSQL_RESPONSE unsigned16
200 ORACLE_USERNAME string
201 ORACLE_QUERY string
202 ORACLE_RSP_CODE unsigned16
203 ORACLE_RSP_STRING string
204 ORACLE_QUERY_DURATION unsigned32
205 DNS_QUERY string
206 DNS_QUERY_ID unsigned16
207 DNS_QUERY_TYPE unsigned8
208 DNS_RET_CODE unsigned8
209 DNS_NUM_ANSWERS unsigned8
210 POP_USER string
220 GTPV1_REQ_MSG_TYPE unsigned8
221 GTPV1_RSP_MSG_TYPE unsigned8
222 GTPV1_C2S_TEID_DATA unsigned32
223 GTPV1_C2S_TEID_CTRL unsigned32
224 GTPV1_S2C_TEID_DATA unsigned32
225 GTPV1_S2C_TEID_CTRL unsigned32
226 GTPV1_END_USER_IP ipv4Address
227 GTPV1_END_USER_IMSI string
228 GTPV1_END_USER_MSISDN string
229 GTPV1_END_USER_IMEI string
230 GTPV1_APN_NAME string
231 GTPV1_RAI_MCC unsigned16
232 GTPV1_RAI_MNC unsigned16
233 GTPV1_ULI_CELL_LAC unsigned16
234 GTPV1_ULI_CELL_CI unsigned16
235 GTPV1_ULI_SAC unsigned16
236 GTPV1_RAT_TYPE unsigned8
240 RADIUS_REQ_MSG_TYPE unsigned8
241 RADIUS_RSP_MSG_TYPE unsigned8
242 RADIUS_USER_NAME string
243 RADIUS_CALLING_STATION_ID string
244 RADIUS_CALLED_STATION_ID string
245 RADIUS_NAS_IP_ADDR ipv4Address
246 RADIUS_NAS_IDENTIFIER string
247 RADIUS_USER_IMSI string
248 RADIUS_USER_IMEI string
249 RADIUS_FRAMED_IP_ADDR ipv4Address
250 RADIUS_ACCT_SESSION_ID string
251 RADIUS_ACCT_STATUS_TYPE string
252 RADIUS_ACCT_IN_OCTETS unsigned32 octets
253 RADIUS_ACCT_OUT_OCTETS unsigned32 octets
254 RADIUS_ACCT_IN_PKTS unsigned32 packets
255 RADIUS_ACCT_OUT_PKTS unsigned32 packets
260 IMAP_LOGIN string
270 GTPV2_REQ_MSG_TYPE unsigned8
271 GTPV2_RSP_MSG_TYPE unsigned8
272 GTPV2_C2S_S1U_GTPU_TEID unsigned32
273 GTPV2_C2S_S1U_GTPU_IP ipv4Address
274 GTPV2_S2C_S1U_GTPU_TEID -
275 GTPV2_S2C_S1U_GTPU_IP ipv4Address
276 GTPV2_END_USER_IMSI string
277 GTPV2_END_USER_MSISDN string
278 GTPV2_APN_NAME string
279 GTPV2_ULI_MCC unsigned16
280 GTPV2_ULI_MNC unsigned16
281 GTPV2_ULI_CELL_TAC unsigned16
282 GTPV2_ULI_CELL_ID unsigned32
283 GTPV2_RAT_TYPE unsigned8
284 GTPV2_PDN_IP -
285 GTPV2_END_USER_IMEI string
290 SRC_AS_PATH_1 unsigned32
291 SRC_AS_PATH_2 unsigned32
292 SRC_AS_PATH_3 unsigned32
293 SRC_AS_PATH_4 unsigned32
294 SRC_AS_PATH_5 unsigned32
295 SRC_AS_PATH_6 unsigned32
296 SRC_AS_PATH_7 unsigned32
297 SRC_AS_PATH_8 unsigned32
298 SRC_AS_PATH_9 unsigned32
299 SRC_AS_PATH_10 unsigned32
300 DST_AS_PATH_1 unsigned32
301 DST_AS_PATH_2 unsigned32
302 DST_AS_PATH_3 unsigned32
303 DST_AS_PATH_4 unsigned32
304 DST_AS_PATH_5 unsigned32
305 DST_AS_PATH_6 unsigned32
306 DST_AS_PATH_7 unsigned32
307 DST_AS_PATH_8 unsigned32
308 DST_AS_PATH_9 unsigned32
309 DST_AS_PATH_10 unsigned32
320 MYSQL_APPL_LATENCY_USEC unsigned32
321 GTPV0_REQ_MSG_TYPE unsigned8
322 GTPV0_RSP_MSG_TYPE unsigned8
323 GTPV0_TID unsigned64
324 GTPV0_END_USER_IP ipv4Address
325 GTPV0_END_USER_MSISDN string
326 GTPV0_APN_NAME string
327 GTPV0_RAI_MCC unsigned16
328 GTPV0_RAI_MNC unsigned16
329 GTPV0_RAI_CELL_LAC unsigned16
330 GTPV0_RAI_CELL_RAC unsigned16
331 GTPV0_RESPONSE_CAUSE unsigned8
332 GTPV1_RESPONSE_CAUSE unsigned8
333 GTPV2_RESPONSE_CAUSE unsigned8
334 NUM_PKTS_TTL_5_32 unsigned32 packets
335 NUM_PKTS_TTL_32_64 unsigned32 packets
336 NUM_PKTS_TTL_64_96 unsigned32 packets
337 NUM_PKTS_TTL_96_128 unsigned32 packets
338 NUM_PKTS_TTL_128_160 unsigned32 packets
339 NUM_PKTS_TTL_160_192 unsigned32 packets
340 NUM_PKTS_TTL_192_224 unsigned32 packets
341 NUM_PKTS_TTL_224_255 unsigned32 packets
342 GTPV1_RAI_LAC unsigned16
343 GTPV1_RAI_RAC unsigned8
344 GTPV1_ULI_MCC unsigned16
345 GTPV1_ULI_MNC unsigned32
346 NUM_PKTS_TTL_2_5 unsigned32 packets
347 NUM_PKTS_TTL_EQ_1 unsigned32 packets
348 RTP_SIP_CALL_ID string
349 IN_SRC_OSI_SAP string
350 OUT_DST_OSI_SAP string
351 WHOIS_DAS_DOMAIN string
352 DNS_TTL_ANSWER unsigned32
353 DHCP_CLIENT_MAC macAddress
354 DHCP_CLIENT_IP ipv4Address
355 DHCP_CLIENT_NAME string
356 FTP_LOGIN string
357 FTP_PASSWORD string
358 FTP_COMMAND string
359 FTP_COMMAND_RET_CODE unsigned16
360 HTTP_METHOD string
361 HTTP_SITE string
362 SIP_C_IP string
363 SIP_CALL_STATE string
364 EPP_REGISTRAR_NAME -
365 EPP_CMD -
366 EPP_CMD_ARGS -
367 EPP_RSP_CODE -
368 EPP_REASON_STR -
369 EPP_SERVER_NAME -
370 RTP_IN_MOS unsigned32
371 RTP_IN_R_FACTOR unsigned32
372 SRC_PROC_USER_NAME string
373 SRC_FATHER_PROC_PID unsigned32
374 SRC_FATHER_PROC_NAME string
375 DST_PROC_PID unsigned32
376 DST_PROC_NAME string
377 DST_PROC_USER_NAME string
378 DST_FATHER_PROC_PID unsigned32
379 DST_FATHER_PROC_NAME string
380 RTP_RTT unsigned32
381 RTP_IN_TRANSIT unsigned32
382 RTP_OUT_TRANSIT unsigned32
383 SRC_PROC_ACTUAL_MEMORY unsigned32
384 SRC_PROC_PEAK_MEMORY unsigned32
385 SRC_PROC_AVERAGE_CPU_LOAD unsigned32
386 SRC_PROC_NUM_PAGE_FAULTS unsigned32
387 DST_PROC_ACTUAL_MEMORY unsigned32
388 DST_PROC_PEAK_MEMORY unsigned32
389 DST_PROC_AVERAGE_CPU_LOAD unsigned32
390 DST_PROC_NUM_PAGE_FAULTS unsigned32
391 DURATION_IN unsigned32
392 DURATION_OUT unsigned32
393 SRC_PROC_PCTG_IOWAIT unsigned32
394 DST_PROC_PCTG_IOWAIT unsigned32
395 RTP_DTMF_TONES string
396 UNTUNNELED_IPV6_SRC_ADDR ipv6Address
397 UNTUNNELED_IPV6_DST_ADDR ipv6Address
398 DNS_RESPONSE string
399 DIAMETER_REQ_MSG_TYPE unsigned32
400 DIAMETER_RSP_MSG_TYPE unsigned32
401 DIAMETER_REQ_ORIGIN_HOST string
402 DIAMETER_RSP_ORIGIN_HOST string
403 DIAMETER_REQ_USER_NAME string
404 DIAMETER_RSP_RESULT_CODE unsigned32
405 DIAMETER_EXP_RES_VENDOR_ID unsigned32
406 DIAMETER_EXP_RES_RESULT_CODE unsigned32
407 S1AP_ENB_UE_S1AP_ID unsigned32
408 S1AP_MME_UE_S1AP_ID unsigned32
409 S1AP_MSG_EMM_TYPE_MME_TO_ENB unsigned8
410 S1AP_MSG_ESM_TYPE_MME_TO_ENB unsigned8
411 S1AP_MSG_EMM_TYPE_ENB_TO_MME unsigned8
412 S1AP_MSG_ESM_TYPE_ENB_TO_MME unsigned8
413 S1AP_CAUSE_ENB_TO_MME unsigned8
414 S1AP_DETAILED_CAUSE_ENB_TO_MME unsigned8
415 TCP_WIN_MIN_IN unsigned16
416 TCP_WIN_MAX_IN unsigned16
417 TCP_WIN_MSS_IN unsigned16
418 TCP_WIN_SCALE_IN unsigned8
419 TCP_WIN_MIN_OUT unsigned16
420 TCP_WIN_MAX_OUT unsigned16
421 TCP_WIN_MSS_OUT unsigned16
422 TCP_WIN_SCALE_OUT unsigned8
423 DHCP_REMOTE_ID string
424 DHCP_SUBSCRIBER_ID string
425 SRC_PROC_UID unsigned32
426 DST_PROC_UID unsigned32
427 APPLICATION_NAME string
428 USER_NAME string
429 DHCP_MESSAGE_TYPE string
430 RTP_IN_PKT_DROP unsigned32
431 RTP_OUT_PKT_DROP unsigned32
432 RTP_OUT_MOS unsigned32
433 RTP_OUT_R_FACTOR unsigned32
434 RTP_MOS unsigned32
435 GTPV2_S5_S8_GTPC_TEID -
436 RTP_R_FACTOR unsigned32
437 RTP_SSRC unsigned32
438 PAYLOAD_HASH unsigned32
439 GTPV2_C2S_S5_S8_GTPU_TEID unsigned32
440 GTPV2_S2C_S5_S8_GTPU_TEID unsigned32
441 GTPV2_C2S_S5_S8_GTPU_IP ipv4Address
442 GTPV2_S2C_S5_S8_GTPU_IP ipv4Address
443 SRC_AS_MAP string
444 DST_AS_MAP string
445 DIAMETER_HOP_BY_HOP_ID unsigned32
446 UPSTREAM_SESSION_ID unsigned16
447 DOWNSTREAM_SESSION_ID unsigned32
448 SRC_IP_LONG string
449 SRC_IP_LAT string
450 DST_IP_LONG string
451 DST_IP_LAT string
452 DIAMETER_CLR_CANCEL_TYPE unsigned32
453 DIAMETER_CLR_FLAGS unsigned32
454 GTPV2_C2S_S5_S8_GTPC_IP ipv4Address
455 GTPV2_S2C_S5_S8_GTPC_IP ipv4Address
456 GTPV2_C2S_S5_S8_SGW_GTPU_TEID unsigned32
457 GTPV2_S2C_S5_S8_SGW_GTPU_TEID unsigned32
458 GTPV2_C2S_S5_S8_SGW_GTPU_IP ipv4Address
459 GTPV2_S2C_S5_S8_SGW_GTPU_IP ipv4Address
460 HTTP_X_FORWARDED_FOR string
461 HTTP_VIA string
462 SSDP_HOST string
463 SSDP_USN string
464 NETBIOS_QUERY_NAME string
465 NETBIOS_QUERY_TYPE string
466 NETBIOS_RESPONSE string
467 NETBIOS_QUERY_OS string
468 SSDP_SERVER string
469 SSDP_TYPE string
470 SSDP_METHOD string
471 NPROBE_IPV4_ADDRESS ipv4Address
"""
"""ntop nProbe, enterprise 35632; in NetFlow v9 the same from 57472 on."""

_CERT = """
14 initialTCPFlags unsigned16
15 unionTCPFlags unsigned16
18 payload octetArray
21 reverseFlowDeltaMilliseconds unsigned32 milliseconds
30 silkFlowType unsigned8
31 silkFlowSensor unsigned16
32 silkTCPState unsigned8
33 silkAppLabel unsigned16
35 payloadEntropy unsigned8
36 osName string
37 osVersion string
38 firstPacketBanner octetArray
39 secondPacketBanner octetArray
40 flowAttributes unsigned16
100 expiredFragmentCount unsigned32 packets
101 assembledFragmentCount unsigned32 packets
102 meanFlowRate unsigned32 flows
103 meanPacketRate unsigned32 packets
104 flowTableFlushEventCount unsigned32 flows
105 flowTablePeakCount unsigned32 flows
106 yafFlowKeyHash unsigned32
107 osFingerPrint string
110 httpServerString string
111 httpUserAgent string
112 httpGet string
113 httpConnection string
114 httpVersion string
115 httpReferer string
116 httpLocation string
117 httpHost string
118 httpContentLength string
119 httpAge string
120 httpAccept string
121 httpAcceptLanguage string
122 httpContentType string
123 httpResponse string
124 pop3TextMessage string
125 ircTextMessage string
126 tftpFilename string
127 tftpMode string
128 slpVersion unsigned8
129 slpMessageType unsigned8
130 slpString string
131 ftpReturn string
132 ftpUser string
133 ftpPass string
134 ftpType string
135 ftpRespCode string
136 imapCapability string
137 imapLogin string
138 imapStartTLS string
139 imapAuthenticate string
140 imapCommand string
141 imapExists string
142 imapRecent string
143 rtspURL string
144 rtspVersion string
145 rtspReturnCode string
146 rtspContentLength string
147 rtspCommand string
148 rtspContentType string
149 rtspTransport string
150 rtspCSeq string
151 rtspLocation string
152 rtspPacketsReceived string
153 rtspUserAgent string
154 rtspJitter string
155 sipInvite string
156 sipCommand string
157 sipVia string
158 sipMaxForwards string
159 sipAddress string
160 sipContentLength string
161 sipUserAgent string
162 smtpHello string
163 smtpFrom string
164 smtpTo string
165 smtpContentType string
166 smtpSubject string
167 smtpFilename string
168 smtpContentDisposition string
169 smtpResponse string
170 smtpEnhanced string
171 sshVersion string
172 nntpResponse string
173 nntpCommand string
174 dnsQueryResponse unsigned8
175 dnsQRType unsigned16
176 dnsAuthoritative unsigned8
177 dnsNXDomain unsigned8
178 dnsRRSection unsigned8
179 dnsQName string
180 dnsCName string
181 dnsMXPreference unsigned16
182 dnsMXExchange string
183 dnsNSDName string
184 dnsPTRDName string
185 sslCipher unsigned32
186 sslClientVersion unsigned8
187 sslServerCipher unsigned32
188 sslCompressionMethod unsigned8
189 sslCertVersion unsigned8
190 sslCertSignature octetArray
191 sslCertIssuerCountryName string
192 sslCertIssuerOrgName string
193 sslCertIssuerOrgUnitName string
194 sslCertIssuerZipCode string
195 sslCertIssuerState string
196 sslCertIssuerCommonName string
197 sslCertIssuerLocalityName string
198 sslCertIssuerStreetAddress string
199 dnsTTL unsigned32
200 sslCertSubCountryName string
201 sslCertSubOrgName string
202 sslCertSubOrgUnitName string
203 sslCertSubZipCode string
204 sslCertSubState string
205 sslCertSubCommonName string
206 sslCertSubLocalityName string
207 sslCertSubStreetAddress string
208 dnsTXTData string
209 dnsSOASerial unsigned32
210 dnsSOARefresh unsigned32
211 dnsSOARetry unsigned32
212 dnsSOAExpire unsigned32
213 dnsSOAMinimum unsigned32
214 dnsSOAMName string
215 dnsSOARName string
216 dnsSRVPriority unsigned16
217 dnsSRVWeight unsigned16
218 dnsSRVPort unsigned16
219 dnsSRVTarget string
220 httpCookie string
221 httpSetCookie string
222 smtpSize string
223 mysqlUsername string
224 mysqlCommandCode unsigned8
225 mysqlCommandText string
226 dnsID unsigned16
227 dnsAlgorithm unsigned8
228 dnsKeyTag unsigned16
229 dnsSigner string
230 dnsSignature octetArray
231 dnsDigest octetArray
232 dnsPublicKey octetArray
233 dnsSalt octetArray
234 dnsHashData octetArray
235 dnsIterations unsigned16
236 dnsSignatureExpiration unsigned32
237 dnsSignatureInception unsigned32
238 dnsDigestType unsigned8
239 dnsLabels unsigned8
240 dnsTypeCovered unsigned16
241 dnsFlags unsigned16
242 dhcpFingerPrint string
243 dhcpVendorCode string
244 sslCertSerialNumber octetArray
245 sslObjectType unsigned8
246 sslObjectValue octetArray
247 sslCertValidityNotBefore string
248 sslCertValidityNotAfter string
249 sslPublicKeyAlgorithm octetArray
250 sslPublicKeyLength unsigned16
251 smtpDate string
252 httpAuthorization string
253 httpVia string
254 httpX-Forwarded-For string
255 httpExpires string
256 httpRefresh string
257 httpIMEI string
258 httpIMSI string
259 httpMSISDN string
260 httpSubscriber string
261 httpAcceptCharset string
262 httpAcceptEncoding string
263 httpAllow string
264 httpDate string
265 httpExpect string
266 httpFrom string
267 httpProxyAuthentication string
268 httpUpgrade string
269 httpWarning string
270 httpDNT string
271 httpX-Forwarded-Proto string
272 httpX-Forwarded-Host string
273 httpX-Forwarded-Server string
274 httpX-DeviceID string
275 httpX-Profile string
276 httpLastModified string
277 httpContentEncoding string
278 httpContentLanguage string
279 httpContentLocation string
280 httpX-UA-Compatible string
281 dnp3SourceAddress unsigned16
282 dnp3DestinationAddress unsigned16
283 dnp3Function unsigned8
284 dnp3ObjectData octetArray
285 modbusData octetArray
286 ethernetIPData octetArray
287 rtpPayloadType unsigned8
288 sslRecordVersion unsigned16
289 mptcpInitialDataSequenceNumber unsigned64
290 mptcpReceiverToken unsigned32
291 mptcpMaximumSegmentSize unsigned16
292 mptcpAddressID unsigned8
293 mptcpFlags unsigned8
294 sslServerName string
295 sslCertificateHash octetArray
296 sslCertificate octetArray
297 dhcpOption unsigned8
298 sslCertificateSHA1 octetArray
299 sslCertificateMD5 octetArray
300 nDPIL7Protocol unsigned16
301 nDPIL7SubProtocol unsigned16
302 rrIPv4 ipv4Address
303 rrIPv6 ipv6Address
304 DNSKEY_ProtocolIdentifier unsigned8
305 DNS_A_Record subTemplateList
306 DNS_AAAA_Record subTemplateList
307 DNS_RESOURCE_RECORD subTemplateList
308 sslCertIssuerTitle string
309 sslCertSubTitle string
310 sslCertIssuerName string
311 sslCertSubName string
312 sslCertIssuerEmailAddress string
313 sslCertSubEmailAddress string
314 sslCertIssuerDomainComponent string
315 sslCertSubDomainComponent string
316 sslCertExtSubjectKeyIdent octetArray
317 sslCertExtKeyUsage octetArray
318 sslCertExtPrivKeyUsagePeriod octetArray
319 sslCertExtSubjectAltName octetArray
320 sslCertExtIssuerAltName octetArray
321 sslCertExtCertIssuer octetArray
322 sslCertExtCrlDistribution octetArray
323 sslCertExtCertPolicies octetArray
324 sslCertExtAuthorityKeyIdent octetArray
325 sslCertExtExtendedKeyUsage octetArray
326 smtpStartTLS unsigned8
327 smtpKey string
328 smtpValue string
329 smtpURL string
330 smtpMessageSize unsigned32
331 smtpResponseList basicList
332 smtpToList basicList
333 smtpFromList basicList
334 smtpFilenameList basicList
335 smtpURLList basicList
336 smtpMessageList subTemplateList
337 smtpHeaderList subTemplateList
500 smallPacketCount unsigned32 packets
501 nonEmptyPacketCount unsigned32 packets
502 dataByteCount unsigned64 octets
503 averageInterarrivalTime unsigned64 milliseconds
504 standardDeviationInterarrivalTime unsigned64 milliseconds
505 firstNonEmptyPacketSize unsigned16 octets
506 maxPacketSize unsigned16 octets
507 firstEightNonEmptyPacketDirections unsigned8
508 standardDeviationPayloadLength unsigned16 octets
509 tcpUrgentCount unsigned32 packets
510 largePacketCount unsigned32 packets
550 tombstoneId unsigned32
551 exporterConfiguredId unsigned16
552 exporterUniqueId unsigned16
553 certToolId unsigned32
554 tombstoneAccessList subTemplateList
927 dnsRName string
928 dnsHitCount unsigned16
929 observedDataTotalCount unsigned64
930 observedData octetArray
1000 templateName string
1001 templateDescription string
"""
"""CERT (YAF, SiLK), enterprise 6871, as libfixbuf 2.4.1 has them."""

_CITRIX = """
128 netscalerRoundTripTime unsigned32
129 netscalerTransactionId unsigned32
130 netscalerHttpReqUrl string
131 netscalerHttpReqCookie string
132 netscalerFlowFlags unsigned64
133 netscalerConnectionId unsigned32
134 netscalerSyslogPriority unsigned8
135 netscalerSyslogMessage string
136 netscalerSyslogTimestamp unsigned64
140 netscalerHttpReqReferer string
141 netscalerHttpReqMethod string
142 netscalerHttpReqHost string
143 netscalerHttpReqUserAgent string
144 netscalerHttpRspStatus unsigned16
145 netscalerHttpRspLen unsigned64
146 netscalerServerTTFB unsigned64
147 netscalerServerTTLB unsigned64
150 netscalerAppNameIncarnationNumber unsigned32
151 netscalerAppNameAppId unsigned32
152 netscalerAppName string
153 netscalerHttpReqRcvFB unsigned64
156 netscalerHttpReqForwFB unsigned64
157 netscalerHttpResRcvFB unsigned64
158 netscalerHttpResForwFB unsigned64
159 netscalerHttpReqRcvLB unsigned64
160 netscalerHttpReqForwLB unsigned64
161 netscalerMainPageId unsigned32
162 netscalerMainPageCoreId unsigned32
163 netscalerHttpClientInteractionStartTime string
164 netscalerHttpClientRenderEndTime string
165 netscalerHttpClientRenderStartTime string
167 netscalerAppTemplateName string
168 netscalerHttpClientInteractionEndTime string
169 netscalerHttpResRcvLB unsigned64
170 netscalerHttpResForwLB unsigned64
171 netscalerAppUnitNameAppId unsigned32
172 netscalerDbLoginFlags unsigned32
173 netscalerDbReqType unsigned8
174 netscalerDbProtocolName unsigned8
175 netscalerDbUserName string
176 netscalerDbDatabaseName string
177 netscalerDbCltHostName string
178 netscalerDbReqString string
179 netscalerDbRespStatusString string
180 netscalerDbRespStatus unsigned64
181 netscalerDbRespLength unsigned64
182 netscalerClientRTT unsigned32
183 netscalerHttpContentType string
185 netscalerHttpReqAuthorization string
186 netscalerHttpReqVia string
187 netscalerHttpResLocation string
188 netscalerHttpResSetCookie string
189 netscalerHttpResSetCookie2 string
190 netscalerHttpReqXForwardedFor string
192 netscalerConnectionChainID octetArray
193 netscalerConnectionChainHopCount unsigned8
200 netscalerIcaSessionGuid octetArray
201 netscalerIcaClientVersion string
202 netscalerIcaClientType unsigned16
203 netscalerIcaClientIP ipv4Address
204 netscalerIcaClientHostName string
205 netscalerAaaUsername string
207 netscalerIcaDomainName string
208 netscalerIcaClientLauncher unsigned16
209 netscalerIcaSessionSetupTime unsigned64
210 netscalerIcaServerName string
214 netscalerIcaSessionReconnects unsigned8
215 netscalerIcaRTT unsigned32
216 netscalerIcaClientsideRXBytes unsigned32
217 netscalerIcaClientsideTXBytes unsigned32
219 netscalerIcaClientsidePacketsRetransmit unsigned16
220 netscalerIcaServersidePacketsRetransmit unsigned16
221 netscalerIcaClientsideRTT unsigned32
222 netscalerIcaServersideRTT unsigned32
223 netscalerIcaSessionUpdateBeginSec dateTimeSeconds
224 netscalerIcaSessionUpdateEndSec dateTimeSeconds
225 netscalerIcaChannelId1 unsigned32
226 netscalerIcaChannelId1Bytes unsigned32
227 netscalerIcaChannelId2 unsigned32
228 netscalerIcaChannelId2Bytes unsigned32
229 netscalerIcaChannelId3 unsigned32
230 netscalerIcaChannelId3Bytes unsigned32
231 netscalerIcaChannelId4 unsigned32
232 netscalerIcaChannelId4Bytes unsigned32
233 netscalerIcaChannelId5 unsigned32
234 netscalerIcaChannelId5Bytes unsigned32
235 netscalerIcaConnectionPriority unsigned16
236 netscalerApplicationStartupDuration unsigned32
237 netscalerIcaLaunchMechanism unsigned16
238 netscalerIcaApplicationName string
239 netscalerApplicationStartupTime dateTimeSeconds
240 netscalerIcaApplicationTerminationType unsigned16
241 netscalerIcaApplicationTerminationTime unsigned64
242 netscalerIcaSessionEndTime unsigned64
243 netscalerIcaClientsideJitter unsigned32
244 netscalerIcaServersideJitter unsigned32
245 netscalerIcaAppProcessID unsigned32
246 netscalerIcaAppModulePath string
247 netscalerIcaDeviceSerialNo unsigned32
248 netscalerMsiClientCookie octetArray
249 netscalerIcaFlags unsigned64
250 netscalerIcaUsername string
251 netscalerLicenseType unsigned8
252 netscalerMaxLicenseCount unsigned64
253 netscalerCurrentLicenseConsumed unsigned64
254 netscalerIcaNetworkUpdateStartTime dateTimeSeconds
255 netscalerIcaNetworkUpdateEndTime dateTimeSeconds
256 netscalerIcaClientsideSRTT unsigned32
257 netscalerIcaServersideSRTT unsigned32
258 netscalerIcaClientsideDelay unsigned32
259 netscalerIcaServersideDelay unsigned32
260 netscalerIcaHostDelay unsigned32
261 netscalerIcaClientsideWindowSize unsigned16
262 netscalerIcaServersideWindowSize unsigned16
263 netscalerIcaClientsideRTOCount unsigned16
264 netscalerIcaServersideRTOCount unsigned16
265 netscalerIcaL7ClientLatency unsigned32
266 netscalerIcaL7ServerLatency unsigned32
267 netscalerHttpDomainName string
268 netscalerCacheRedirClientConnectionCoreID unsigned32
269 netscalerCacheRedirClientConnectionTransactionID unsigned32
"""
"""Citrix NetScaler, enterprise 5951."""

_VMWARE = """
880 tenantProtocol unsigned8
881 tenantSourceIPv4 ipv4Address
882 tenantDestIPv4 ipv4Address
883 tenantSourceIPv6 ipv6Address
884 tenantDestIPv6 ipv6Address
886 tenantSourcePort unsigned16
887 tenantDestPort unsigned16
888 egressInterfaceAttr unsigned16
889 vxlanExportRole unsigned8
890 ingressInterfaceAttr unsigned16
898 virtualObsID string
950 ruleId unsigned32
951 vmUuid string
952 vnicIndex unsigned32
953 sessionFlags unsigned8
954 flowDirection unsigned8
955 algControlFlowId unsigned64
956 algType unsigned8
957 algFlowType unsigned8
958 averageLatency unsigned32 microseconds
959 retransmissionCount unsigned32
960 vifUuid octetArray
961 vifId string
"""
"""VMware, enterprise 6876."""

_IXIA = """
110 l7ApplicationId unsigned32
111 l7ApplicationName string
120 sourceIPCountryCode string
121 sourceIPCountryName string
122 sourceIPRegionCode string
123 sourceIPRegionName string
125 sourceIPCityName string
126 sourceIPLatitude float32
127 sourceIPLongitude float32
140 destinationIPCountryCode string
141 destinationIPCountryName string
142 destinationIPRegionCode string
143 destinationIPRegionName string
145 destinationIPCityName string
146 destinationIPLatitude float32
147 destinationIPLongitude float32
160 osDeviceId unsigned8
161 osDeviceName string
162 browserId unsigned8
163 browserName string
176 reverseOctetDeltaCount unsigned64
177 reversePacketDeltaCount unsigned64
178 connEncryptionType string
179 encryptionCipher string
180 encryptionKeylen unsigned16
181 imsi string
182 httpUserAgent string
183 hostname string
184 httpUri string
185 dnsTxt string
186 sourceAsName string
187 destinationAsName string
188 transactionLatency unsigned32 microseconds
189 dnsQueryNames string
190 dnsAnswerNames string
191 dnsClasses string
192 threatType string
193 threatIPv4 ipv4Address
194 threatIPv6 ipv6Address
195 httpSession -
196 requestTime dateTimeSeconds
197 dnsRecords -
198 dnsName string
199 dnsIPv4 ipv4Address
200 dnsIPv6 ipv6Address
201 tlsSni string
202 dhcpClientId octetArray
203 dhcpClientMac macAddress
204 dhcpMessages -
205 dhcpMsgTimestamp -
206 dhcpMsgType unsigned8
207 dhcpLeaseDuration unsigned32 seconds
208 dhcpServername string
209 radiusEvents -
210 radiusTimestamp -
211 radiusEventTimestamp -
212 radiusUsername string
213 radiusNasIPv4 ipv4Address
214 radiusServiceType unsigned32
215 radiusFramedProtocol unsigned32
216 radiusFilterId string
217 radiusReplyMsg string
218 radiusCalledStation string
219 httpConnection string
220 httpAccept string
221 httpAcceptLanguage string
222 httpAcceptEncoding string
223 httpReason string
224 httpServer string
225 radiusCallingStation string
226 httpContentLength unsigned32
227 httpReferer string
228 httpUaCpu string
229 emailMessages -
230 emailMsgId string
231 emailMsgDate string
232 emailMsgSubject string
233 emailMsgTo string
234 emailMsgFrom string
235 emailMsgCc string
236 emailMsgBcc string
237 emailMsgAttachments string
238 tlsServerCert -
239 tlsServerCertIssuer -
240 tlsServerCertIssuerAttribute string
241 tlsServerCertIssuerValue string
242 tlsServerCertSubject -
243 tlsServerCertSubjectAttribute string
244 tlsServerCertSubjectValue string
245 tlsServerCertVldNotbefore string
246 tlsServerCertVldNotafter string
247 tlsServerCertSrlnum string
248 tlsServerCertSignAlgo string
249 tlsServerCertSubPkiAlgo string
250 tlsServerCertAltnames -
251 tlsServerCertAltNamesAttribute string
252 tlsServerCertAltNamesValue string
253 dnsMessages -
254 dnsTransactionId unsigned16
255 dnsMsgOpcode unsigned8
256 dnsQueryType unsigned16
257 dnsMsgRcode unsigned8
258 dnsRecTtl unsigned32 seconds
259 dnsRecRawRdata string
260 dnsRecType unsigned16
261 radiusFramedip string
262 dnsHdrQdcount unsigned16
263 dnsHdrAncount unsigned16
264 dnsHdrNscount unsigned16
265 dnsHdrArcount unsigned16
266 dnsHdrAuthAns unsigned8
267 dnsHdrTruncated unsigned8
268 dnsHdrRd unsigned8
269 dnsHdrRa unsigned8
270 dnsRdataLen unsigned16
271 dnsQuestions -
272 dnsQtype unsigned16
273 dnsQname string
274 dnsSectionType unsigned8
275 dnsHdrQr unsigned8
276 dnsCname string
277 dnsMxDomain string
278 dhcpAgentCircuitid string
279 ja3Fingerprint string
280 tcpConnSetupTime unsigned32 microseconds
281 tcpAppResponseTime unsigned32 microseconds
282 tcpRetransPktCount unsigned32
283 connAvgRtt unsigned32 microseconds
284 udpAppResponseTime unsigned32 microseconds
285 quicConnectionSetupTime unsigned32 microseconds
286 quicConnectionRTT unsigned32 microseconds
287 quicAppResponseTime unsigned32 microseconds
288 matchedFilterName string
"""
"""Ixia, enterprise 3054."""

_BARRACUDA = """
1 timestamp dateTimeSeconds
2 logOp unsigned8
3 trafficType unsigned8
4 fwRule string
5 serviceName string
6 reason unsigned32
7 reasonText string
8 bindIPv4Address ipv4Address
9 bindTransportPort unsigned16
10 connIPv4Address ipv4Address
11 connTransportPort unsigned16
12 auditCounter unsigned32
"""
"""Barracuda, enterprise 10704."""

_PROCERA = """
1 proceraService string
2 proceraBaseService string
3 proceraIncomingOctets unsigned64 octets
4 proceraOutgoingOctets unsigned64 octets
5 proceraIncomingPackets unsigned64 packets
6 proceraOutgoingPackets unsigned64 packets
7 proceraIncomingShapingLatency unsigned16
8 proceraOutgoingShapingLatency unsigned16
9 proceraIncomingShapingDrops unsigned32
10 proceraOutgoingShapingDrops unsigned32
11 proceraInternalRtt signed32
12 proceraExternalRtt signed32
15 proceraFlowBehavior string
16 proceraContentCategories string
17 proceraProperty string
18 proceraServerHostname string
19 proceraHttpRequestMethod string
20 proceraHttpUserAgent string
21 proceraHttpContentType string
22 proceraHttpUrl string
23 proceraHttpReferer string
24 proceraHttpResponseStatus unsigned16
25 proceraHttpFileLength unsigned32 octets
26 proceraHttpLocation string
27 proceraHttpLanguage string
28 proceraSubscriberIdentifier string
29 proceraMsisdn unsigned64
30 proceraImsi unsigned64
31 proceraRat string
32 proceraDeviceId unsigned64
33 proceraSgsn string
34 proceraRnc unsigned16
35 proceraApn string
36 proceraUserLocationInformation string
37 proceraGgsn string
38 proceraQoeIncomingInternal float32
39 proceraQoeIncomingExternal float32
40 proceraQoeOutgoingInternal float32
41 proceraQoeOutgoingExternal float32
42 proceraLocalIPv4Host ipv4Address
43 proceraLocalIPv6Host ipv6Address
44 proceraRemoteIPv4Host ipv4Address
45 proceraRemoteIPv6Host ipv6Address
46 proceraHttpRequestVersion string
47 proceraTemplateName string
"""
"""Procera, enterprise 15397."""

_NOKIA = """
91 aluInsideServiceId unsigned16
92 aluOutsideServiceId unsigned16
93 aluNatSubString string
"""
"""Nokia, enterprise 637: address translation (Alcatel-Lucent SR OS)."""

_VIPTELA = """
4321 viptelaVPNId unsigned64
"""
"""Viptela (Cisco SD-WAN), enterprise 41916."""

TABLES: tuple[tuple[int, str], ...] = (
    (0, _IANA),
    (0, _PRIVATE),
    (SCOPE_ENTERPRISE, _SCOPES),
    (NTOP, _NTOP),
    (CERT, _CERT),
    (5951, _CITRIX),
    (6876, _VMWARE),
    (3054, _IXIA),
    (10704, _BARRACUDA),
    (15397, _PROCERA),
    (637, _NOKIA),
    (41916, _VIPTELA),
)
"""Enterprise and lines: id, name, type (`-` where it is not known) and unit, if there is one."""


@cache
def registry() -> dict[tuple[int, int], Entry]:
    """Return what is known, by (enterprise, id); read when it is first asked for."""
    found: dict[tuple[int, int], Entry] = {}
    for enterprise, table in TABLES:
        for line in table.split("\n")[1:-1]:
            id_, name, type_, *unit = line.split(" ", 3)
            kind = DataType.UNKNOWN if type_ == "-" else DataType(type_)
            found[enterprise, int(id_)] = Entry(name, kind, "".join(unit))
    return found
