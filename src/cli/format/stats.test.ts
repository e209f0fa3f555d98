import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerStats } from '#/wire/stats.ts';
import { parseListFormat, renderList } from './list.ts';
import { statsKind } from './stats.ts';

const blkio = {
  io_service_bytes_recursive: [
    { major: 8, minor: 0, op: 'Read', value: 4096 },
    { major: 8, minor: 0, op: 'write', value: 1_000_000 },
  ],
  io_serviced_recursive: null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
};
const throttling = { periods: 0, throttled_periods: 0, throttled_time: 0 };
const cpu = (total: number, system: number) => ({
  cpu_usage: { total_usage: total, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  system_cpu_usage: system,
  online_cpus: 2,
  throttling_data: throttling,
});
const interfaceCounters = {
  rx_packets: 0,
  rx_errors: 0,
  rx_dropped: 0,
  tx_packets: 0,
  tx_errors: 0,
  tx_dropped: 0,
};
const sample: ContainerStats = {
  name: '/web',
  id: '0123456789abcdef',
  read: '',
  preread: '',
  pids_stats: { current: 3 },
  blkio_stats: blkio,
  num_procs: 0,
  storage_stats: {},
  cpu_stats: cpu(300, 2000),
  precpu_stats: cpu(100, 1000),
  memory_stats: { usage: 3 * 1024 * 1024, limit: 1024 ** 3, stats: { inactive_file: 1024 * 1024 } },
  networks: {
    eth0: { ...interfaceCounters, rx_bytes: 1000, tx_bytes: 0 },
    eth1: { ...interfaceCounters, rx_bytes: 500, tx_bytes: 126 },
  },
};
const text = (format: string, row: ContainerStats | undefined): string =>
  renderList(
    statsKind({ truncate: true }),
    [{ container: 'web', sample: row }],
    parseListFormat(format, { standard: '' }),
  );

test('statsKind: figures are those of docker', () => {
  const format =
    '{{.Container}}|{{.ID}}|{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.MemPerc}}|{{.NetIO}}|{{.BlockIO}}|{{.PIDs}}';
  assert.equal(
    text(format, sample),
    'web|0123456789ab|web|40.00%|2MiB / 1GiB|0.20%|1.5kB / 126B|4.1kB / 1MB|3\n',
  );
});

test('statsKind: dashes without a sample', () => {
  assert.equal(text('{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.PIDs}}', undefined), '--|--|-- / --|--\n');
});
