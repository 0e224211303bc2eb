/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

#include "config/check_values.h"
#include "config/config.h"

static_assert(sizeof(enum config_balance) == sizeof(unsigned int), "words are stored as unsigned int");
static_assert(sizeof(enum config_check) == sizeof(unsigned int), "words are stored as unsigned int");
static_assert(sizeof(enum config_http_method) == sizeof(unsigned int), "words are stored as unsigned int");
static_assert(sizeof(enum config_dns_type) == sizeof(unsigned int), "words are stored as unsigned int");
static_assert(sizeof(enum config_path) == sizeof(unsigned int), "words are stored as unsigned int");
static_assert(sizeof(enum config_packet_guard) == sizeof(unsigned int), "words are stored as unsigned int");
static_assert(sizeof(enum config_server_state) == sizeof(unsigned int), "words are stored as unsigned int");

#define SECOND           1000ull
#define MINUTE           (60 * SECOND)
#define DAY              (24 * 60 * MINUTE)
#define NO_NEVER         "0 would mean never, and nothing waits for ever here"
#define NO_NOTHING       "to take nothing on, write deny 0.0.0.0/0 ::/0"
#define TIME_BOUNDS      .min = 1, .max = 365 * DAY, .zero_hint = NO_NEVER
#define COUNT_BOUNDS     .min = 1, .max = 1000000000
#define BANDWIDTH_BOUNDS .min = 8000, .max = 1000000000000, .zero_hint = NO_NOTHING, .absent = "no limit"

#define FIELD(type, field)                  .offset = offsetof(struct type, field)
#define KEY(key, value_kind)                .name = key, .kind = value_kind, .role = SCHEMA_KEY
#define POSITIONAL(placeholder, value_kind) .name = placeholder, .kind = value_kind, .role = SCHEMA_POSITIONAL
#define SWITCH(word)                        .name = word, .kind = SCHEMA_FLAG, .role = SCHEMA_SWITCH
#define LIST_HELP                           "@file:PATH is all that stand in a file, which is read again when it changes"
#define NEEDED                              "has to be written"
#define LISTEN_EXAMPLES                     "*:443 :443 [::]:443 10.0.0.1:80 unix:/run/x.sock"
#define VALUES(array)                       .values = array, .value_count = sizeof(array) / sizeof((array)[0])

/* --- top level --- */

static const struct schema_value admin_values[] = {
	{ POSITIONAL("ADDRESS", SCHEMA_ADDRESS), FIELD(config_admin, addr), .flags = SCHEMA_REQUIRED | SCHEMA_MANY,
	  .noun = "an address to listen on", .examples = LISTEN_EXAMPLES,
	  .help = "where to listen: loopback or a unix socket, or any address when a token is set" },
	{ KEY("token", SCHEMA_FILE), FIELD(config_admin, token_file), .absent = "none",
	  .help = "file that holds the token which every request must then carry" },
};

static const struct schema_word log_formats[] = {
	{ "text", CONFIG_LOG_TEXT, "one line for people" },
	{ "json", CONFIG_LOG_JSON, "one JSON object a line" },
	{ NULL, 0, NULL },
};

static const struct schema_word log_levels[] = {
	{ "error", CONFIG_LEVEL_ERROR, "what keeps strait from doing its work" },
	{ "warning", CONFIG_LEVEL_WARNING, "and what may soon do so" },
	{ "info", CONFIG_LEVEL_INFO, "and events and access records" },
	{ "debug", CONFIG_LEVEL_DEBUG, "and what helps to find a fault" },
	{ NULL, 0, NULL },
};

static const struct schema_value log_values[] = {
	{ POSITIONAL("SINK", SCHEMA_SINK), .flags = SCHEMA_REQUIRED, .noun = "log sink",
	  .help = "stderr; file:PATH, which is opened again on SIGUSR1; syslog (the socket /dev/log), "
		  "syslog:unix:PATH, "
		  "syslog:udp:ADDRESS or syslog:tcp:ADDRESS; journald, or journald:PATH" },
	{ KEY("format", SCHEMA_WORD), FIELD(config_log, format), .noun = "log format", .words = log_formats,
	  .fallback = "text", .help = "form of the records" },
	{ KEY("level", SCHEMA_WORD), FIELD(config_log, level), .noun = "log level", .words = log_levels,
	  .fallback = "info", .help = "least important kind of record that is written" },
	{ KEY("sample", SCHEMA_SHARE), FIELD(config_log, sample), .absent = "all flows", .min = 1, .max = 1000000,
	  .zero_hint = "to write no access records, set level=warning",
	  .help = "writes the records of one flow in N, chosen at random; they say so in the field sample" },
	{ KEY("every", SCHEMA_TIME), FIELD(config_log, every_ms), .absent = "no such records", .min = SECOND,
	  .max = 365 * DAY, .zero_hint = "without every= there are none",
	  .help = "writes a record flow_progress so often for each flow that goes on" },
};

static const struct schema_word workers_words[] = {
	{ "auto", 0, "one for each CPU strait may run on" },
	{ NULL, 0, NULL },
};

static const struct schema_value workers_values[] = {
	{ POSITIONAL("N", SCHEMA_COUNT), FIELD(config, workers), .flags = SCHEMA_REQUIRED, .min = 1,
	  .max = CONFIG_WORKERS_MAX, .words = workers_words, .fallback = "auto", .noun = "the number of workers",
	  .help = "number of worker threads" },
};

static const struct schema_word io_uring_words[] = {
	{ "on", CONFIG_IO_URING_ON, "where the kernel has it and allows it" },
	{ "off", CONFIG_IO_URING_OFF, "system calls are made one by one" },
	{ NULL, 0, NULL },
};

static const struct schema_value io_uring_values[] = {
	{ POSITIONAL("ON", SCHEMA_WORD), FIELD(config, io_uring), .flags = SCHEMA_REQUIRED, .noun = "value",
	  .words = io_uring_words, .fallback = "on", .help = "whether workers use it" },
};

static const struct schema_word packet_guard_words[] = {
	{ "auto", CONFIG_PACKET_GUARD_AUTO, "where the kernel allows it" },
	{ "off", CONFIG_PACKET_GUARD_OFF, "packets are left to the kernel's own checks" },
	{ NULL, 0, NULL },
};

static const struct schema_value packet_guard_values[] = {
	{ POSITIONAL("MODE", SCHEMA_WORD), FIELD(config, packet_guard.mode), .flags = SCHEMA_REQUIRED, .noun = "mode",
	  .words = packet_guard_words, .fallback = "auto",
	  .help = "whether packets are judged before the kernel has them" },
	{ SWITCH("only-listen"), FIELD(config, packet_guard.has_only_listen),
	  .help = "only packets for listen addresses and their ports are judged" },
	{ KEY("interfaces", SCHEMA_INTERFACES), FIELD(config, packet_guard.interfaces),
	  .absent = "those that packets for the listen addresses come in by",
	  .help = "only those of these names, with commas, as far as they are there" },
};

static const struct schema_word kernel_path_words[] = {
	{ "auto", CONFIG_KERNEL_PATH_AUTO, "where the kernel allows it" },
	{ "off", CONFIG_KERNEL_PATH_OFF, "all flows stay in user space" },
	{ NULL, 0, NULL },
};

static const struct schema_value kernel_path_values[] = {
	{ POSITIONAL("MODE", SCHEMA_WORD), FIELD(config, kernel_path.mode), .flags = SCHEMA_REQUIRED, .noun = "mode",
	  .words = kernel_path_words, .fallback = "auto", .help = "whether services may send flows on in the kernel" },
	{ KEY("flows", SCHEMA_COUNT), FIELD(config, kernel_path.flows), .min = 64, .max = 4 << 20, .fallback = "65536",
	  .help = "flows in the kernel at a time; the table takes some 230 bytes for each, when it is opened" },
	{ KEY("pins", SCHEMA_PATH), FIELD(config, kernel_path.pins), .min = 1, .max = 80,
	  .absent = "a directory of the network namespace's own in /sys/fs/bpf/strait",
	  .help = "a directory of a BPF file system, by which flows outlive a daemon that was killed" },
};

static const struct schema_value top_limit_values[] = {
	{ KEY("connections", SCHEMA_COUNT), FIELD(config, limit.connections), COUNT_BOUNDS,
	  .absent = "what the limit of open files allows", .help = "TCP connections at a time" },
	{ KEY("sessions", SCHEMA_COUNT), FIELD(config, limit.sessions), COUNT_BOUNDS,
	  .absent = "what the limit of open files allows", .help = "UDP sessions at a time" },
	{ KEY("memory", SCHEMA_SIZE), FIELD(config, limit.memory_bytes), .min = 1 << 20, .max = 16ull << 40,
	  .absent = "no ceiling of its own", .help = "memory for flows and what they wait to send" },
};

static const struct schema_value top_timeout_values[] = {
	{ KEY("drain", SCHEMA_TIME), FIELD(config, drain_ms), TIME_BOUNDS, .fallback = "30s",
	  .help = "how long a graceful stop waits for flows to end" },
};

static const struct schema_value trends_values[] = {
	{ KEY("file", SCHEMA_PATH), FIELD(config, trends.file), .min = 1, .max = 4000,
	  .absent = "$STATE_DIRECTORY/trends, which systemd sets; else nothing is kept over a restart",
	  .help = "where they are kept over a restart" },
	{ KEY("memory", SCHEMA_SIZE), FIELD(config, trends.memory_bytes), .min = 1 << 20, .max = 4ull << 30,
	  .fallback = "64m", .help = "the most they may take; what does not fit is left out, and said" },
	{ KEY("source-prefix", SCHEMA_PREFIXES), FIELD(config, trends.prefixes), .fallback = "/32,/64",
	  .noun = "the prefix lengths", .help = "how many bits of IPv4 and IPv6 addresses tell sources apart" },
};

#define RESOLVER_VALUES(type)                                                                                          \
	{                                                                                                              \
		{ POSITIONAL("ADDRESS", SCHEMA_NAME_SERVER), FIELD(type, resolver),                                    \
		  .noun = "the address of a name server", .flags = SCHEMA_REQUIRED | SCHEMA_MANY,                      \
		  .help = "name servers, asked in this order; at most 8; without a port, port 53" },                   \
			{ KEY("ttl", SCHEMA_TIME),                                                                     \
			  FIELD(type, resolver.ttl_ms),                                                                \
			  .min = 1 * SECOND,                                                                           \
			  .max = 1 * DAY,                                                                              \
			  .absent = "the TTL of the answer, but at least 1s and at most 1h",                           \
			  .help = "how long an answer is used before it is asked for again, whatever its TTL" },       \
			{ KEY("timeout", SCHEMA_TIME),                                                                 \
			  FIELD(type, resolver.timeout_ms),                                                            \
			  .min = 10,                                                                                   \
			  .max = 1 * MINUTE,                                                                           \
			  .zero_hint = NO_NEVER,                                                                       \
			  .fallback = "2s",                                                                            \
			  .help = "for an answer of one name server, before the next is asked; each is asked twice" }, \
	}

static const struct schema_value top_resolver_values[] = RESOLVER_VALUES(config);
static const struct schema_value pool_resolver_values[] = RESOLVER_VALUES(config_pool);

static const struct schema_value include_values[] = {
	{ POSITIONAL("PATTERN", SCHEMA_PATTERN), .flags = SCHEMA_REQUIRED, .noun = "a file or pattern",
	  .help = "a file, or a pattern with * ? [ ] for several, relative to the including file" },
};

static const struct schema_value service_values[] = {
	{ POSITIONAL("NAME", SCHEMA_NAME), FIELD(config_service, name), .flags = SCHEMA_REQUIRED,
	  .help = "name of the service in logs, metrics and the API" },
};

static const struct schema_value pool_values[] = {
	{ POSITIONAL("NAME", SCHEMA_NAME), FIELD(config_pool, name), .flags = SCHEMA_REQUIRED,
	  .help = "name of the pool, for to, logs, metrics and the API" },
};

/* --- in a service --- */

static const struct schema_word protocols[] = {
	{ "tcp", CONFIG_TCP, "TCP connections" },
	{ "udp", CONFIG_UDP, "UDP datagrams" },
	{ NULL, 0, NULL },
};

static const struct schema_value listen_values[] = {
	{ POSITIONAL("PROTOCOL", SCHEMA_WORD), FIELD(config_listen, protocol), .noun = "protocol", .words = protocols,
	  .fallback = "tcp", .help = "for all addresses of the line" },
	{ POSITIONAL("ADDRESS", SCHEMA_ADDRESS), FIELD(config_listen, addr), .flags = SCHEMA_REQUIRED | SCHEMA_MANY,
	  .noun = "an address to listen on", .examples = LISTEN_EXAMPLES,
	  .help = "*:443 is all IPv4 addresses, [::]:443 all IPv6 addresses, :443 both; unix:PATH for TCP only" },
};

static const struct schema_value rule_values[] = {
	{ POSITIONAL("NETWORK", SCHEMA_NETWORKS), FIELD(config_access_rule, from),
	  .flags = SCHEMA_REQUIRED | SCHEMA_MANY, .noun = "a network",
	  .help = "a network or address; unix: is all clients of unix sockets; " LIST_HELP },
};

static const struct schema_value block_values[] = {
	{ POSITIONAL("NETWORK", SCHEMA_NETWORKS), FIELD(config_block, from), .flags = SCHEMA_REQUIRED | SCHEMA_MANY,
	  .noun = "a network", .help = "a network or address; " LIST_HELP },
};

static const struct schema_word guard_words[] = {
	{ "enforce", CONFIG_GUARD_ENFORCE, "what access rules and limits refuse is refused" },
	{ "dry-run", CONFIG_GUARD_DRY_RUN, "what they would refuse is counted and logged, and let in" },
	{ NULL, 0, NULL },
};

static const struct schema_value guard_values[] = {
	{ POSITIONAL("MODE", SCHEMA_WORD), FIELD(config_service, guard), .flags = SCHEMA_REQUIRED, .noun = "mode",
	  .words = guard_words, .fallback = "enforce", .help = "whether they are in force" },
};

static const struct schema_word path_words[] = {
	{ "relay", CONFIG_PATH_RELAY, "all flows stay in user space" },
	{ "auto", CONFIG_PATH_AUTO, "what has proved long is sent on in the kernel, where that is possible" },
	{ "offload", CONFIG_PATH_OFFLOAD, "the same, and strait check says what keeps flows from it" },
	{ "nat", CONFIG_PATH_NAT, "in the kernel from the first packet" },
	{ NULL, 0, NULL },
};

static const struct schema_value path_values[] = {
	{ POSITIONAL("PATH", SCHEMA_WORD), FIELD(config_service, path), .flags = SCHEMA_REQUIRED, .noun = "path",
	  .words = path_words, .fallback = "relay", .help = "how its flows travel" },
};

static const struct schema_value offload_values[] = {
	{ KEY("after", SCHEMA_THRESHOLD), FIELD(config_service, offload_after), .flags = SCHEMA_REQUIRED,
	  .fallback = "64k|50ms", .noun = "the threshold",
	  .help = "how many bytes a TCP connection has carried, or how old it is, when it is moved into the kernel" },
};

static const struct schema_value service_block_values[] = {
	{ KEY("after", SCHEMA_COUNT), FIELD(config_service, block.count), .flags = SCHEMA_REQUIRED, .min = 1,
	  .max = 1000000, .absent = NEEDED, .zero_hint = "leave block out to block nobody",
	  .help = "so many refusals of a source" },
	{ KEY("refusals", SCHEMA_TIME), FIELD(config_service, block.window_ms), .flags = SCHEMA_REQUIRED, TIME_BOUNDS,
	  .absent = NEEDED, .help = "within so long" },
	{ KEY("for", SCHEMA_TIME), FIELD(config_service, block.for_ms), .flags = SCHEMA_REQUIRED, TIME_BOUNDS,
	  .absent = NEEDED, .help = "keep it out for so long" },
};

static const struct schema_value accept_proxy_values[] = {
	{ POSITIONAL("NETWORK", SCHEMA_NETWORK), FIELD(config_proxy_network, network),
	  .flags = SCHEMA_REQUIRED | SCHEMA_MANY, .noun = "a network",
	  .help = "a network or address that proxies connect from; unix: is all clients of unix sockets" },
};

static const struct schema_value to_values[] = {
	{ POSITIONAL("POOL", SCHEMA_REFERENCE), FIELD(config_service, to), .flags = SCHEMA_REQUIRED,
	  .help = "name of a pool" },
};

static const struct schema_value limit_values[] = {
	{ KEY("connections", SCHEMA_COUNT), FIELD(config_service, limit.connections), COUNT_BOUNDS,
	  .zero_hint = NO_NOTHING, .absent = "that of the top level", .help = "TCP connections at a time" },
	{ KEY("sessions", SCHEMA_COUNT), FIELD(config_service, limit.sessions), COUNT_BOUNDS, .zero_hint = NO_NOTHING,
	  .absent = "that of the top level", .help = "UDP sessions at a time" },
	{ KEY("rate", SCHEMA_RATE), FIELD(config_service, limit.rate), COUNT_BOUNDS, .zero_hint = NO_NOTHING,
	  .absent = "no limit", .help = "new flows in a time" },
	{ KEY("per-source", SCHEMA_COUNT), FIELD(config_service, limit.per_source), COUNT_BOUNDS, .absent = "no limit",
	  .help = "flows of one source at a time" },
	{ KEY("per-source-rate", SCHEMA_RATE), FIELD(config_service, limit.per_source_rate), COUNT_BOUNDS,
	  .absent = "no limit", .help = "new flows of one source in a time" },
	{ KEY("per-source-packets", SCHEMA_RATE), FIELD(config_service, limit.per_source_packets), COUNT_BOUNDS,
	  .absent = "no limit", .help = "UDP datagrams of one source in a time; more are dropped" },
	{ KEY("source-prefix", SCHEMA_PREFIXES), FIELD(config_service, limit.source_prefixes), .fallback = "/32,/64",
	  .noun = "the prefix lengths", .help = "how many bits of IPv4 and IPv6 addresses make one source" },
	{ KEY("queue", SCHEMA_COUNT), FIELD(config_service, limit.queue), COUNT_BOUNDS,
	  .zero_hint = "without timeout queue= no connection waits", .fallback = "1000",
	  .help = "TCP connections that wait for a place at a server, with timeout queue=" },
	{ KEY("bandwidth", SCHEMA_BANDWIDTH), FIELD(config_service, limit.bandwidth), BANDWIDTH_BOUNDS,
	  .help = "payload of all flows together, from clients and to clients each" },
	{ KEY("upload", SCHEMA_BANDWIDTH), FIELD(config_service, limit.upload), BANDWIDTH_BOUNDS,
	  .help = "payload of one flow from its client; what comes faster waits, and UDP that overflows is dropped" },
	{ KEY("download", SCHEMA_BANDWIDTH), FIELD(config_service, limit.download), BANDWIDTH_BOUNDS,
	  .help = "the same to its client" },
};

static const struct schema_value timeout_values[] = {
	{ KEY("connect", SCHEMA_TIME), FIELD(config_service, timeout.connect_ms), TIME_BOUNDS, .fallback = "5s",
	  .help = "for a server to accept a connection, before another is tried" },
	{ KEY("idle", SCHEMA_TIME), FIELD(config_service, timeout.idle_ms), TIME_BOUNDS, .fallback = "10m",
	  .help = "without a byte in either direction" },
	{ KEY("half-closed", SCHEMA_TIME), FIELD(config_service, timeout.half_closed_ms), TIME_BOUNDS, .fallback = "1m",
	  .help = "without a byte, after one side has finished sending" },
	{ KEY("proxy-header", SCHEMA_TIME), FIELD(config_service, timeout.proxy_header_ms), TIME_BOUNDS,
	  .fallback = "3s", .help = "for the PROXY header of a connection that has to begin with one" },
	{ KEY("hello", SCHEMA_TIME), FIELD(config_service, timeout.hello_ms), TIME_BOUNDS, .fallback = "3s",
	  .help = "for the first bytes of a client, where the pool has send-proxy v2 authority; then it goes on "
		  "without" },
	{ KEY("queue", SCHEMA_TIME), FIELD(config_service, timeout.queue_ms), TIME_BOUNDS, .absent = "refused at once",
	  .help = "for a place, when all servers that are up have max-connections; first come first served" },
};

static const struct schema_value retries_values[] = {
	{ POSITIONAL("N", SCHEMA_COUNT), FIELD(config_service, retries), .flags = SCHEMA_REQUIRED, .min = 0,
	  .max = CONFIG_RETRIES_MAX, .fallback = "2", .noun = "the number of retries",
	  .help = "further servers tried" },
};

static const struct schema_value session_values[] = {
	{ KEY("idle", SCHEMA_TIME), FIELD(config_service, session.idle_ms), TIME_BOUNDS, .fallback = "30s",
	  .help = "a session that has had a reply ends after this time without a datagram" },
	{ KEY("new", SCHEMA_TIME), FIELD(config_service, session.new_ms), TIME_BOUNDS, .fallback = "10s",
	  .help = "the same, until the first reply" },
	{ KEY("replies", SCHEMA_COUNT), FIELD(config_service, session.replies),
	  .given_offset = offsetof(struct config_service, session.has_replies), .min = 0, .max = 1000000,
	  .absent = "any number",
	  .help = "replies expected to each datagram; when all have come the session ends; 0: none are expected" },
	{ KEY("requests", SCHEMA_COUNT), FIELD(config_service, session.requests), COUNT_BOUNDS, .absent = "any number",
	  .help = "datagrams of the client after which the next begins a new session" },
	{ KEY("amplification", SCHEMA_COUNT), FIELD(config_service, session.amplification), .min = 1, .max = 1000000,
	  .zero_hint = "without amplification= there is no bound", .absent = "no bound",
	  .help = "bytes that a client gets for each byte that it has sent, until it has sent another datagram after a "
		  "reply; what is more is dropped (floods.md)" },
};

/* --- in a pool --- */

static const struct schema_word algorithms[] = {
	{ "round-robin", CONFIG_BALANCE_ROUND_ROBIN, "in turn, exactly by weight over a cycle" },
	{ "least-connections", CONFIG_BALANCE_LEAST_CONNECTIONS,
	  "the server with the fewest flows for its weight, of 512 picked by chance in larger pools" },
	{ "source-hash", CONFIG_BALANCE_SOURCE_HASH,
	  "a client address keeps its server; few move when servers change" },
	{ "random", CONFIG_BALANCE_RANDOM, "of two picked by chance the one with fewer flows for its weight" },
	{ "maglev", CONFIG_BALANCE_MAGLEV, "like source-hash, with more even shares; a few more move" },
	{ "first", CONFIG_BALANCE_FIRST, "the first that is up, in the order written" },
	{ NULL, 0, NULL },
};

static const struct schema_value balance_values[] = {
	{ POSITIONAL("ALGORITHM", SCHEMA_WORD), FIELD(config_pool, balance), .flags = SCHEMA_REQUIRED,
	  .noun = "balancing algorithm", .words = algorithms, .fallback = "round-robin",
	  .help = "weights apply to all but first" },
	{ KEY("slow-start", SCHEMA_TIME), FIELD(config_pool, slow_start_ms), TIME_BOUNDS, .absent = "none",
	  .help = "time over which the weight of a server that has come back grows to its full value" },
	{ KEY("load", SCHEMA_PERCENT), FIELD(config_pool, load_percent), .min = 101, .max = 1000, .absent = "no bound",
	  .help = "source-hash, maglev: a server with more than this part of its fair share of flows is passed over" },
};

static const struct schema_word check_kinds[] = {
	{ "none", CONFIG_CHECK_NONE, "servers count as up" },
	{ "tcp", CONFIG_CHECK_TCP, "a connection is made; with send= and expect= also an exchange" },
	{ "udp", CONFIG_CHECK_UDP, "send= is sent and a reply must come; an ICMP unreachable is a failure" },
	{ "http", CONFIG_CHECK_HTTP,
	  "an HTTP/1.1 request is answered with a good status, and with expect= in the body" },
	{ "dns", CONFIG_CHECK_DNS,
	  "a question over UDP is answered with a good rcode; an ICMP unreachable is a failure" },
	{ "exec", CONFIG_CHECK_EXEC, "a program is run and exits with 0" },
	{ NULL, 0, NULL },
};

static const struct schema_word http_methods[] = {
	{ "GET", CONFIG_HTTP_GET, NULL },
	{ "HEAD", CONFIG_HTTP_HEAD, "without a body in answer" },
	{ "OPTIONS", CONFIG_HTTP_OPTIONS, NULL },
	{ "POST", CONFIG_HTTP_POST, "with an empty body" },
	{ NULL, 0, NULL },
};

static const struct schema_word dns_types[] = {
	{ "A", CONFIG_DNS_A, NULL },         { "AAAA", CONFIG_DNS_AAAA, NULL },
	{ "NS", CONFIG_DNS_NS, NULL },       { "SOA", CONFIG_DNS_SOA, NULL },
	{ "CNAME", CONFIG_DNS_CNAME, NULL }, { "MX", CONFIG_DNS_MX, NULL },
	{ "PTR", CONFIG_DNS_PTR, NULL },     { "SRV", CONFIG_DNS_SRV, NULL },
	{ "TXT", CONFIG_DNS_TXT, NULL },     { NULL, 0, NULL },
};

/* Values are those of the wire (RFC 1035, section 4.1.1). */
static const struct schema_word dns_rcodes[] = {
	{ "noerror", 0, "the name exists, even without a record of the type" },
	{ "formerr", 1, NULL },
	{ "servfail", 2, NULL },
	{ "nxdomain", 3, "there is no such name" },
	{ "notimp", 4, NULL },
	{ "refused", 5, "what an authoritative server says of names it does not have" },
	{ NULL, 0, NULL },
};

static const struct schema_value check_values[] = {
	{ POSITIONAL("KIND", SCHEMA_WORD), FIELD(config_pool, check.kind),
	  .given_offset = offsetof(struct config_pool, check.is_written), .flags = SCHEMA_REQUIRED,
	  .noun = "kind of check", .words = check_kinds, .absent = "none", .help = "how a server is asked" },
	{ KEY("every", SCHEMA_TIME), FIELD(config_pool, check.every_ms), .min = 10, .max = 1 * DAY, .fallback = "2s",
	  .help = "time between two checks of a server" },
	{ KEY("timeout", SCHEMA_TIME), FIELD(config_pool, check.timeout_ms), .min = 1, .max = 1 * DAY,
	  .zero_hint = NO_NEVER, .fallback = "1s", .help = "a check that takes longer has failed" },
	{ KEY("rise", SCHEMA_COUNT), FIELD(config_pool, check.rise), .min = 1, .max = 1000, .fallback = "2",
	  .help = "checks in a row that must succeed before a server is up again" },
	{ KEY("fall", SCHEMA_COUNT), FIELD(config_pool, check.fall), .min = 1, .max = 1000, .fallback = "3",
	  .help = "checks in a row that must fail before a server is down" },
	{ KEY("port", SCHEMA_COUNT), FIELD(config_pool, check.port), .min = 1, .max = 65535,
	  .absent = "the server's own", .help = "port to check instead" },
	{ KEY("send", SCHEMA_BYTES), FIELD(config_pool, check.send), .min = 1, .max = CONFIG_CHECK_BYTES_MAX,
	  .absent = "nothing", .help = "bytes to send; check udp needs them" },
	{ KEY("expect", SCHEMA_BYTES), FIELD(config_pool, check.expect), .min = 1, .max = CONFIG_CHECK_BYTES_MAX,
	  .absent = "tcp, http: nothing; udp: any reply",
	  .help = "what must come in answer; of HTTP, in the first 16 KiB of the body" },
	{ KEY("path", SCHEMA_HTTP_PATH), FIELD(config_pool, check.http.path), .min = 1,
	  .max = CHECK_HTTP_PATH_BYTES_MAX, .fallback = "/", .help = "http: path and query that are asked for" },
	{ KEY("host", SCHEMA_HTTP_HOST), FIELD(config_pool, check.http.host), .min = 1,
	  .max = CHECK_HTTP_HOST_BYTES_MAX, .absent = "the server's address",
	  .help = "http: the Host field of the request" },
	{ KEY("method", SCHEMA_WORD), FIELD(config_pool, check.http.method), .noun = "method", .words = http_methods,
	  .fallback = "GET", .help = "http: method of the request" },
	{ KEY("status", SCHEMA_STATUSES), FIELD(config_pool, check.http.statuses), .fallback = "200-399",
	  .help = "http: status codes that are good; redirections are not followed" },
	{ KEY("name", SCHEMA_DNS_NAME), FIELD(config_pool, check.dns.name), .min = 1, .max = CHECK_DNS_NAME_BYTES_MAX,
	  .fallback = ".", .help = "dns: the name that is asked for" },
	{ KEY("type", SCHEMA_WORD), FIELD(config_pool, check.dns.type), .noun = "type of record", .words = dns_types,
	  .fallback = "NS", .help = "dns: the type of record that is asked for" },
	{ KEY("rcode", SCHEMA_WORDS), FIELD(config_pool, check.dns.rcodes), .noun = "response code",
	  .words = dns_rcodes, .fallback = "noerror", .help = "dns: response codes that are good, with commas" },
	{ KEY("program", SCHEMA_PROGRAM), FIELD(config_pool, check.program), .min = 1, .max = CHECK_PROGRAM_BYTES_MAX,
	  .absent = "none",
	  .help = "exec: the program; it has no arguments, and finds in its environment what it is about" },
};

static const struct schema_value eject_values[] = {
	{ KEY("failures", SCHEMA_COUNT), FIELD(config_pool, eject.failures), .flags = SCHEMA_REQUIRED, .min = 1,
	  .max = 1000000, .absent = "no passive ejection",
	  .help = "failed connects, or unanswered UDP sessions, in a row" },
	{ KEY("for", SCHEMA_TIME), FIELD(config_pool, eject.for_ms), TIME_BOUNDS, .fallback = "30s",
	  .help = "how long the server is left out" },
};

static const struct schema_value panic_values[] = {
	{ POSITIONAL("PERCENT", SCHEMA_PERCENT), FIELD(config_pool, panic_percent), .flags = SCHEMA_REQUIRED, .min = 0,
	  .max = 100, .fallback = "0%", .noun = "the percentage", .help = "share of the servers" },
};

static const struct schema_word on_down_words[] = {
	{ "keep", CONFIG_ON_DOWN_KEEP, "they go on as long as they can" },
	{ "close", CONFIG_ON_DOWN_CLOSE, "they are closed" },
	{ NULL, 0, NULL },
};

static const struct schema_value on_down_values[] = {
	{ POSITIONAL("POLICY", SCHEMA_WORD), FIELD(config_pool, on_down), .flags = SCHEMA_REQUIRED, .noun = "policy",
	  .words = on_down_words, .absent = "TCP connections are kept, UDP sessions move at their next datagram",
	  .help = "what happens to them" },
};

static const struct schema_word send_proxy_words[] = {
	{ "v1", CONFIG_SEND_PROXY_V1, "a line of text: addresses and ports" },
	{ "v2", CONFIG_SEND_PROXY_V2, "binary; passes on what a header that came in says besides" },
	{ NULL, 0, NULL },
};

static const struct schema_value send_proxy_values[] = {
	{ POSITIONAL("VERSION", SCHEMA_WORD), FIELD(config_pool, send_proxy.version), .flags = SCHEMA_REQUIRED,
	  .noun = "version", .words = send_proxy_words, .absent = "none is sent", .help = "of the header" },
	{ SWITCH("first"), FIELD(config_pool, send_proxy.is_first),
	  .help = "v2, UDP: only before the first datagram of a session, not before every one" },
	{ SWITCH("authority"), FIELD(config_pool, send_proxy.has_authority),
	  .help = "v2, TCP: with the name of the server that a TLS client asks for, unless a header that came in has "
		  "one; "
		  "connections wait for the client's first bytes, for timeout hello= at most" },
	{ SWITCH("unique-id"), FIELD(config_pool, send_proxy.has_unique_id),
	  .help = "v2: with the id of the connection or session, as the records have it" },
};

static const struct schema_value source_values[] = {
	{ POSITIONAL("ADDRESS", SCHEMA_SOURCE), FIELD(config_pool, source), .flags = SCHEMA_REQUIRED | SCHEMA_MANY,
	  .noun = "a source address", .absent = "the system chooses",
	  .help = "IP addresses without port, at most 32; or client alone" },
};

static const struct schema_word drain_word[] = { { "drain", CONFIG_SERVER_DRAIN, NULL }, { NULL, 0, NULL } };
static const struct schema_word maint_word[] = { { "maint", CONFIG_SERVER_MAINT, NULL }, { NULL, 0, NULL } };

static const struct schema_value server_values[] = {
	{ POSITIONAL("ADDRESS", SCHEMA_SERVER_ADDRESS), .flags = SCHEMA_REQUIRED, .noun = "the address of a server",
	  .help = "IP address and port, or unix:PATH for TCP; or a name that is resolved: HOST:PORT makes a server of "
		  "each "
		  "of its addresses, srv:NAME one of each address of the targets of its SRV records" },
	{ KEY("weight", SCHEMA_COUNT), FIELD(config_server, weight), .min = 1, .max = CONFIG_WEIGHT_MAX,
	  .fallback = "1", .zero_hint = "a server without new flows is written drain or maint",
	  .help = "its share of new flows, against the other servers" },
	{ KEY("name", SCHEMA_NAME), FIELD(config_server, name),
	  .given_offset = offsetof(struct config_server, has_name), .absent = "the address or name",
	  .help = "its name in logs, metrics and the API; those made of a name are called NAME@ADDRESS" },
	{ KEY("max-connections", SCHEMA_COUNT), FIELD(config_server, max_connections), COUNT_BOUNDS,
	  .absent = "no limit", .help = "flows at a time; a full server is passed over" },
	{ SWITCH("backup"), FIELD(config_server, is_backup),
	  .help = "used only when no server that is not a backup can be used" },
	{ SWITCH("drain"), FIELD(config_server, state), .words = drain_word,
	  .help = "starts without new flows; is checked" },
	{ SWITCH("maint"), FIELD(config_server, state), .words = maint_word,
	  .help = "starts without new flows and without checks" },
};

const struct schema_directive schema_directives[] = {
	{ SCHEMA_TOP, "admin", SCHEMA_INTO_ADMIN, 0, SCHEMA_REPEATED, VALUES(admin_values),
	  "where the admin API listens", "admin 127.0.0.1:9900 unix:/run/strait/api.sock" },
	{ SCHEMA_TOP, "log", SCHEMA_INTO_LOG, 0, SCHEMA_REPEATED, VALUES(log_values),
	  "where access records and events go; once for each sink; without it stderr, as text",
	  "log file:/var/log/strait.log format=json" },
	{ SCHEMA_TOP, "block", SCHEMA_INTO_BLOCK, 0, SCHEMA_REPEATED, VALUES(block_values),
	  "networks that no service takes anything from; more are blocked through the API, and by the directive of "
	  "this name "
	  "in a service",
	  "block 203.0.113.0/24 198.51.100.7" },
	{ SCHEMA_TOP, "workers", SCHEMA_INTO_CONFIG, 0, 0, VALUES(workers_values), "how many threads carry traffic",
	  "workers 4" },
	{ SCHEMA_TOP, "io-uring", SCHEMA_INTO_CONFIG, 0, 0, VALUES(io_uring_values),
	  "whether workers receive and send for many flows with one system call, through io_uring, which is cheaper "
	  "for small requests (performance.md); a change does not touch flows that go on",
	  "io-uring off" },
	{ SCHEMA_TOP, "packet-guard", SCHEMA_INTO_CONFIG, 0, 0, VALUES(packet_guard_values),
	  "whether an eBPF program drops malformed packets, and all of blocked sources, before the system's network "
	  "stack "
	  "has them (packet-guard.md); needs CAP_BPF and CAP_NET_ADMIN",
	  "packet-guard auto only-listen interfaces=eth0,eth1" },
	{ SCHEMA_TOP, "kernel-path", SCHEMA_INTO_CONFIG, 0, 0, VALUES(kernel_path_values),
	  "whether an eBPF program may send on the packets of established flows, for services whose path allows it "
	  "(kernel-path.md); needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
	  "kernel-path auto flows=200k" },
	{ SCHEMA_TOP, "limit", SCHEMA_INTO_CONFIG, 0, SCHEMA_MERGED, VALUES(top_limit_values),
	  "ceilings for all services together; what is over them is refused and counted",
	  "limit connections=100k memory=1g" },
	{ SCHEMA_TOP, "timeout", SCHEMA_INTO_CONFIG, 0, SCHEMA_MERGED, VALUES(top_timeout_values),
	  "how long the daemon as a whole waits", "timeout drain=1m" },
	{ SCHEMA_TOP, "trends", SCHEMA_INTO_CONFIG, 0, SCHEMA_MERGED, VALUES(trends_values),
	  "what is remembered of who uses the services and how much (trends.md)",
	  "trends file=/var/lib/strait/trends memory=128m" },
	{ SCHEMA_TOP, "resolver", SCHEMA_INTO_CONFIG, 0, 0, VALUES(top_resolver_values),
	  "who is asked for the names of servers; without it /etc/hosts and the name servers of /etc/resolv.conf",
	  "resolver 10.0.0.53 [fd00::53]:5353 ttl=10s" },
	{ SCHEMA_TOP, "include", SCHEMA_INTO_NOTHING, 0, SCHEMA_REPEATED, VALUES(include_values),
	  "reads other files as if they stood here, in the order of their names", "include conf.d/*.conf" },
	{ SCHEMA_TOP, "service", SCHEMA_INTO_SERVICE, 0, SCHEMA_BLOCK | SCHEMA_REPEATED, VALUES(service_values),
	  "what clients connect to: addresses, policy, and the pool it goes to",
	  "service web {\n\tlisten *:443 [::]:443\n\tto     web\n}" },
	{ SCHEMA_TOP, "pool", SCHEMA_INTO_POOL, 0, SCHEMA_BLOCK | SCHEMA_REPEATED, VALUES(pool_values),
	  "servers, how one is chosen, and how they are checked",
	  "pool web {\n\tbalance least-connections\n\tcheck   tcp\n\tserver  10.0.1.11:8443\n\tserver  "
	  "10.0.1.12:8443\n}" },

	{ SCHEMA_SERVICE, "listen", SCHEMA_INTO_LISTEN, 0, SCHEMA_REPEATED | SCHEMA_REQUIRED, VALUES(listen_values),
	  "addresses and ports clients connect to; TCP and UDP may stand in one service", "listen udp *:53 [::]:53" },
	{ SCHEMA_SERVICE, "to", SCHEMA_INTO_SERVICE, 0, SCHEMA_REQUIRED, VALUES(to_values),
	  "the pool that flows are sent to", "to web" },
	{ SCHEMA_SERVICE, "allow", SCHEMA_INTO_RULE, 1, SCHEMA_REPEATED, VALUES(rule_values),
	  "clients that may connect; of all allow and deny the first match wins, and what none matches is allowed",
	  "allow 10.0.0.0/8 2001:db8::/32" },
	{ SCHEMA_SERVICE, "deny", SCHEMA_INTO_RULE, 0, SCHEMA_REPEATED, VALUES(rule_values),
	  "clients that are refused; of all allow and deny the first match wins", "deny 203.0.113.0/24" },
	{ SCHEMA_SERVICE, "guard", SCHEMA_INTO_SERVICE, 0, 0, VALUES(guard_values),
	  "tries access rules, limits and block before they are in force", "guard dry-run" },
	{ SCHEMA_SERVICE, "path", SCHEMA_INTO_SERVICE, 0, 0, VALUES(path_values),
	  "whether flows are sent on in the kernel, at the cost of routing, once they are established (kernel-path.md)",
	  "path auto" },
	{ SCHEMA_SERVICE, "offload", SCHEMA_INTO_SERVICE, 0, 0, VALUES(offload_values),
	  "when a TCP connection is moved into the kernel, with path auto or offload", "offload after=64k|50ms" },
	{ SCHEMA_SERVICE, "block", SCHEMA_INTO_SERVICE, 0, 0, VALUES(service_block_values),
	  "sources that access rules or limits per source refuse often, or that send a PROXY header nobody asked for, "
	  "are "
	  "blocked for a while, by all services; UDP sources can be forged, see the limits",
	  "block after=100 refusals=10s for=10m" },
	{ SCHEMA_SERVICE, "accept-proxy", SCHEMA_INTO_PROXY_NETWORK, 0, SCHEMA_REPEATED, VALUES(accept_proxy_values),
	  "clients whose connections have to begin with a PROXY header (version 1 or 2), and each of whose datagrams "
	  "has "
	  "to (version 2), which says for whom they are: that address is judged, balanced and told; what anybody else "
	  "sends with one is refused",
	  "accept-proxy 10.0.0.0/24" },
	{ SCHEMA_SERVICE, "limit", SCHEMA_INTO_SERVICE, 0, SCHEMA_MERGED, VALUES(limit_values),
	  "what the service takes on; flows over a limit are refused and counted, bytes over a bandwidth are delayed",
	  "limit connections=50k rate=2k/s per-source=200 per-source-rate=20/s bandwidth=1Gbit/s download=10MB/s" },
	{ SCHEMA_SERVICE, "timeout", SCHEMA_INTO_SERVICE, 0, SCHEMA_MERGED, VALUES(timeout_values),
	  "how long a TCP connection may wait; every time-out is finite",
	  "timeout connect=3s idle=10m half-closed=1m" },
	{ SCHEMA_SERVICE, "retries", SCHEMA_INTO_SERVICE, 0, 0, VALUES(retries_values),
	  "how many further servers are tried when a connect fails", "retries 1" },
	{ SCHEMA_SERVICE, "session", SCHEMA_INTO_SERVICE, 0, SCHEMA_MERGED, VALUES(session_values),
	  "when a UDP session ends, and how much it may bring before the client has shown that it is there",
	  "session idle=5s replies=1" },

	{ SCHEMA_POOL, "balance", SCHEMA_INTO_POOL, 0, 0, VALUES(balance_values),
	  "how a server is chosen for a new flow", "balance least-connections slow-start=30s" },
	{ SCHEMA_POOL, "check", SCHEMA_INTO_POOL, 0, 0, VALUES(check_values),
	  "how it is found out whether a server works", "check udp send=\"ping\" expect=\"pong\" every=5s timeout=1s" },
	{ SCHEMA_POOL, "eject", SCHEMA_INTO_POOL, 0, 0, VALUES(eject_values),
	  "leaves a server out for a while after failures that clients met", "eject failures=5 for=30s" },
	{ SCHEMA_POOL, "panic", SCHEMA_INTO_POOL, 0, 0, VALUES(panic_values),
	  "when fewer servers than this are up all are used, rather than overloading the last ones", "panic 30%" },
	{ SCHEMA_POOL, "on-down", SCHEMA_INTO_POOL, 0, 0, VALUES(on_down_values),
	  "what becomes of the flows of a server that went down", "on-down close" },
	{ SCHEMA_POOL, "send-proxy", SCHEMA_INTO_POOL, 0, 0, VALUES(send_proxy_values),
	  "connections to servers begin with a PROXY header, which tells them who the client is; over UDP every "
	  "datagram "
	  "does; checks do, too, where they ask the server's own port",
	  "send-proxy v2" },
	{ SCHEMA_POOL, "source", SCHEMA_INTO_POOL, 0, 0, VALUES(source_values),
	  "where connections and sessions to servers come from (source.md): addresses of this machine, used in turn, "
	  "or "
	  "the client's own address and port, for servers that route back through strait",
	  "source 10.0.0.9 10.0.0.10" },
	{ SCHEMA_POOL, "resolver", SCHEMA_INTO_POOL, 0, 0, VALUES(pool_resolver_values),
	  "who is asked for the names of this pool's servers, instead of the resolver of the top level",
	  "resolver 127.0.0.1:8600 ttl=5s" },
	{ SCHEMA_POOL, "server", SCHEMA_INTO_SERVER, 0, SCHEMA_REPEATED | SCHEMA_REQUIRED, VALUES(server_values),
	  "a server of the pool; several may share an address if their names differ",
	  "server 10.0.1.12:8443 name=blue weight=3" },
};

const size_t schema_directive_count = sizeof(schema_directives) / sizeof(schema_directives[0]);
