"""The figures of bench/run as text."""

MB = 1e6
# What DESIGN allows a stage, in ns per event.
BUDGET = {"read": "90", "evaluate": "60 with", "scatter": "scatter", "apply": "180-250",
          "publish": "80", "store_apply": "170-250", "low priority": "100, with the store's",
          "rest": "130: exchange 80, loops 50"}


def print_ingest(title, i, alone):
    print(f"\n{title}: {i['events']:,} events, {i['bytes'] / i['events']:.0f} bytes each, after "
          f"{i['warm_up']['events']:,} others; {i['keys']:,} keys")
    print(f"  {i['seconds']:.1f} s, {i['events_per_second']:,} events/s; "
          f"{i['events_per_cpu_second']:,} events per CPU-second over all processes "
          f"({i['ns_per_event']:,} ns per event); {i['cpu_seconds_total']:.1f} CPU-seconds, "
          f"{i['cpu_seconds_until_written']:.1f} until all was written")
    print_processes(i)
    by_threads = ", ".join(f"{kind} {s:.1f}" for kind, s in i["cpu_seconds_by_threads"].items())
    print(f"  CPU s by kind of thread: {by_threads}")
    print_stages(i, alone)
    print_alone_rates(i)
    print_state(i)
    print_steady(i["reads_meanwhile"])


def print_processes(i):
    print(f"  {'process':14} {'CPU s':>8} {'events per CPU s':>18} {'RSS MB':>8} {'peak MB':>8} "
          f"{'budget MB':>10} {'of it':>6}")
    for process, seconds in i["cpu_seconds"].items():
        memory = i["memory"][process]
        rate = i["events_per_cpu_second_of_each"].get(process)
        budget, share = memory.get("budget"), memory.get("peak_of_budget")
        print(f"  {process:14} {seconds:8.2f} {'-' if rate is None else f'{rate:,}':>18} "
              f"{memory['rss'] / MB:8.0f} {memory['peak_rss'] / MB:8.0f} "
              f"{'-' if budget is None else f'{budget / MB:,.0f}':>10} "
              f"{'-' if share is None else f'{share:.0%}':>6}")
        if memory.get("by_consumer"):
            print("    " + ", ".join(f"{consumer} {size / MB:,.1f} MB"
                                     for consumer, size in memory["by_consumer"].items()))


def print_stages(i, alone):
    print(f"  {'ns per event':20} {'here':>8} {'alone':>8}  budget")
    for stage, ns in i["stages_ns_per_event"].items():
        by_itself = alone.get(stage)
        print(f"  {stage:20} {ns:8,} {'-' if by_itself is None else f'{by_itself:,}':>8}  "
              f"{BUDGET.get(stage, '')}")
    print(f"  {'write an increment':20} {'-':>8} {alone['write an increment']:8,}")


def print_alone_rates(i):
    for name, what in (("parse_only", "parsing alone, the same files"),
                       ("consume_only", "librdkafka alone with CRC checks, the same topic")):
        if name in i:
            a = i[name]
            print(f"  {what}: {a['records_per_cpu_second']:,.0f} records per CPU-second "
                  f"({1e9 / a['records_per_cpu_second']:.0f} ns per record), "
                  f"{a['records_per_second']:,.0f} per second")
    if "broker_cpu_seconds" in i:
        print(f"  the broker's own CPU time: {i['broker_cpu_seconds']:.1f} s")


def print_state(i):
    print(f"  state: {i['state_bytes'] / MB:,.0f} MB in the store, {i['state_bytes_per_key']:,} "
          f"bytes per key of {i['rows_per_key']} rows, {i['state_bytes_per_row']} per row, "
          f"{i['state_bytes_per_event']} per event; snapshots {i['snapshot_bytes'] / MB:,.0f} MB, "
          f"{i['snapshot_bytes'] / max(1, i['keys']):,.0f} bytes per key; freed rows "
          f"{i['freed_rows']:,}, images {i['image_bytes_sent']:,} bytes, session gaps "
          f"{i['session_gaps']}")


def print_steady(r):
    if r["reads"]:
        print(f"  reads meanwhile, {r['per_second']}/s ({r['client']}): p50 {r['p50_ms']} ms, p99 "
              f"{r['p99_ms']} ms, p99.9 {r['p999_ms']} ms, {r['reads']:,} reads, "
              f"{r['errors']} errors")


def print_freshness(source, f):
    print(f"\nfreshness, {source}, {f['rate']:,} events/s for {f['seconds']} s: "
          f"p50 {f['p50_ms']} ms, p99 {f['p99_ms']} ms, p99.9 {f['p999_ms']} ms, "
          f"worst {f['max_ms']} ms of {f['probes']:,} probes")
    ended = (f", the generator ended {f['generator_ended_late_ms']} ms late"
             if "generator_ended_late_ms" in f else "")
    print(f"  read every {f['read_every_ms_p50']} ms; the feeder was late by "
          f"{f['feeder_late_p99_ms']} ms (p99), {f['feeder_late_max_ms']} ms at most{ended}; "
          f"the machine was idle for {f['machine_idle_share']:.0%}")
    print_reads(f["reads"])
    if not f["fed_while_reading"]:
        print("  the feeder had ended before these reads did")


def print_reads(reads):
    print(f"\n  {'reads':>8} {'features':>8} {'conns':>6} {'req/s':>9} {'req/store CPU s':>16} "
          f"{'p50 ms':>8} {'p99 ms':>8} {'p99.9 ms':>8} {'errors':>7}")
    for r in reads:
        print(f"  {r['entities']:8} {r['features']:8} {r['connections']:6} "
              f"{r['requests_per_second']:9,} {r['requests_per_cpu_second']:16,} "
              f"{r['p50_ms']:8.2f} {r['p99_ms']:8.2f} {r['p999_ms']:8.2f} {r['errors']:7}")


def print_redis(redis):
    print(f"  Redis {redis['version']}, redis-benchmark HMGET; 500 at once are a pipeline")
    print(f"  {'at once':>8} {'fields':>8} {'conns':>6} {'HMGET/s':>9} {'per CPU s':>16} "
          f"{'p50 ms':>8} {'p99 ms':>8} {'p99.9 ms':>8}")
    for r in redis["runs"]:
        print(f"  {r['pipeline']:8} {r['fields']:8} {r['connections']:6} "
              f"{r['commands_per_second']:9,} {r['commands_per_cpu_second']:16,} "
              f"{r['p50_ms']:8.2f} {r['p99_ms']:8.2f} {r['p999_ms']:8.2f}")


def print_cost(cost):
    print(f"\nreads of one key by its rows, 12 features, one connection\n"
          f"  {'rows':>8} {'keys':>6} {'req/s':>9} {'CPU us of the store':>20} {'p50 ms':>8} "
          f"{'p99 ms':>8}")
    for r in cost:
        print(f"  {r['rows']:8,} {r['keys']:6,} {r['requests_per_second']:9,} "
              f"{r['cpu_us_per_request']:20} {r['p50_ms']:8.3f} {r['p99_ms']:8.3f}")


def print_size(s):
    resident = ", ".join(f"{name} {size:,}" for name, size in s["bytes_per_key_resident"].items())
    print(f"\na key with {s['rows_per_key']} rows of a customer, {s['keys']:,} of them: "
          f"{s['state_bytes_per_key']:,.0f} bytes in the store's memory "
          f"({s['state_bytes_per_row']} a row), {s['snapshot_bytes'] / s['keys']:,.0f} in workers' "
          f"files; grown by so many bytes resident: {resident}")


def print_budget(b):
    c = b["checked"]
    print(f"\na budget of a tenth: {b['state_bytes'] / MB:,.0f} MB of state in memory are "
          f"{b['times_the_budget']} times the store's budget of {b['store_budget'] / MB:,.0f} MB; "
          f"workers have {b['worker_budget'] / MB:,.0f} MB each; snapshots are "
          f"{b['snapshot_bytes'] / MB:,.0f} MB")
    print(f"  {b['events']:,} events in {b['seconds']} s, {b['events_per_second']:,} events/s; "
          f"{c['values']:,} values of {c['keys']:,} random keys, {c['mismatches']} mismatches; "
          f"{b['evicted_keys']:,} keys on disk only, {b['cold_reads']:,} read from there")
    for name, memory in b["memory"].items():
        if "budget" in memory:
            print(f"  {name}: at most {memory['peak_rss'] / MB:.1f} MB of "
                  f"{memory['budget'] / MB:.0f}{'' if b['within'][name] else ': OVER'}")


def print_soak(s):
    print(f"\nat full rate for {s['seconds']:.0f} s: {s['events']:,} events, "
          f"{s['events_per_second']:,} events/s, {s['events_per_cpu_second']:,} per CPU-second")
    for name, o in s["over_time"].items():
        medians = ", ".join(f"{m / MB:,.0f}" for m in o["medians_of_fifths"])
        budget = s["memory"][name].get("budget")
        limit = ("" if budget is None
                 else f", peak {s['memory'][name]['peak_of_budget']:.0%} of its budget")
        bad = "" if s["flat"][name] and s["within"].get(name, True) else "  NOT AS IT SHOULD BE"
        print(f"  {name:14} RSS of each fifth {medians} MB: {o['drift']:+.1%}{limit}{bad}")
    print_state(s)
    print_steady(s["reads_meanwhile"])
