// A driver of kafkajs: a command per line on stdin, an answer per line on stdout (see ../../README.md).
//   node driver.js MODULES BOOTSTRAP SETTINGS
const path = require('path')
const modules = process.argv[2]
const kafkajs = require(path.join(modules, 'kafkajs'))
const { Kafka, CompressionTypes, CompressionCodecs, logLevel, ConfigResourceTypes, Partitioners } = kafkajs
CompressionCodecs[CompressionTypes.Snappy] = require(path.join(modules, 'kafkajs-snappy'))

const SECONDS = 20
const log = () => ({ log, ...entry }) => process.stderr.write(JSON.stringify({ ...log, ...entry }) + '\n')
const kafka = new Kafka({ clientId: 'driver', brokers: [process.argv[3]], logLevel: logLevel.ERROR, logCreator: log,
  retry: { initialRetryTime: 50, retries: 8 }, ...JSON.parse(process.argv[4]) })
const text = b => (b === null || b === undefined ? null : b.toString())

function recordOf(topic, partition, m) {
  const h = []
  for (const [name, value] of Object.entries(m.headers || {}))
    for (const one of Array.isArray(value) ? value : [value]) h.push([name, text(one)])
  return { t: topic, p: partition, o: Number(m.offset), k: text(m.key), v: text(m.value), ts: Number(m.timestamp), h }
}

let kept
async function admin() {
  if (!kept) {
    kept = kafka.admin()
    await kept.connect()
  }
  return kept
}

const members = {}

async function join({ member, group, topics, assignor, session_ms = 6000 }) {
  const m = { assignment: [], rebalances: 0, records: [], failure: null, next: {} }
  m.consumer = kafka.consumer({ groupId: group, sessionTimeout: session_ms, rebalanceTimeout: session_ms, heartbeatInterval: 300,
    maxWaitTimeInMs: 100 })
  const { GROUP_JOIN, CRASH, REBALANCING } = m.consumer.events
  m.consumer.on(REBALANCING, () => (m.assignment = []))
  m.consumer.on(GROUP_JOIN, ({ payload }) => {
    m.rebalances++
    m.assignment = Object.entries(payload.memberAssignment).flatMap(([topic, ps]) => ps.map(p => [topic, p]))
  })
  m.consumer.on(CRASH, ({ payload }) => (m.failure = String(payload.error)))
  members[member] = m
  await m.consumer.connect()
  await m.consumer.subscribe({ topics, fromBeginning: true })
  m.consumer.run({ autoCommit: false, eachMessage: async ({ topic, partition, message }) => {
    m.records.push(recordOf(topic, partition, message))
    m.next[`${topic} ${partition}`] = { topic, partition, offset: String(Number(message.offset) + 1) }
  } }).catch(e => (m.failure = String(e)))
}

const commands = {
  join,
  async produce({ topic, records, codec = 'none', acks = -1, idempotent = false }) {
    const types = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }
    const producer = kafka.producer({ idempotent, createPartitioner: Partitioners.DefaultPartitioner })
    await producer.connect()
    const messages = records.map(r => {
      const headers = {}
      for (const [name, value] of r.h || []) headers[name] = name in headers ? [headers[name], value].flat() : value
      return { key: r.k ?? null, value: r.v ?? null, partition: r.p, headers, ...(r.ts ? { timestamp: String(r.ts) } : {}) }
    })
    await producer.send({ topic, acks, compression: types[codec], messages })
    await producer.disconnect()
    return { offsets: [] }
  },
  // kafkajs reads through groups alone: one of its own, from the offset asked for.
  async fetch({ topic, partitions, count, offset = 0 }) {
    const consumer = kafka.consumer({ groupId: `reader-${process.pid}-${Date.now()}`, maxWaitTimeInMs: 100 })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    const got = []
    await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, SECONDS * 1000)
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
      consumer.run({ autoCommit: false, eachMessage: async ({ partition, message }) => {
        if (partitions.includes(partition) && Number(message.offset) >= offset) got.push(recordOf(topic, partition, message))
        if (got.length >= count) {
          clearTimeout(timer)
          resolve()
        }
      } })
      if (offset > 0) for (const p of partitions) consumer.seek({ topic, partition: p, offset: String(offset) })
    })
    await consumer.disconnect()
    return { records: got }
  },
  async offset_for_time({ topic, partition, timestamp }) {
    const a = await admin()
    const all = timestamp < 0 ? await a.fetchTopicOffsets(topic) : await a.fetchTopicOffsetsByTimestamp(topic, timestamp)
    const found = all.find(p => p.partition === partition)
    return { offset: Number(timestamp === -2 ? found.low : timestamp === -1 ? found.high : found.offset) }
  },
  async member({ member }) {
    const { assignment, rebalances, records, failure } = members[member]
    members[member].records = []
    return { assignment, rebalances, records, failure }
  },
  async commit({ member }) {
    const m = members[member]
    await m.consumer.commitOffsets(Object.values(m.next))
  },
  async leave({ member }) {
    const m = members[member]
    delete members[member]
    await m.consumer.disconnect()
  },
  async committed({ group, topic, partitions }) {
    const got = await (await admin()).fetchOffsets({ groupId: group, topics: [topic] })
    return { offsets: partitions.map(p => Number(got[0].partitions.find(x => x.partition === p)?.offset ?? -1)) }
  },
  async create_topic({ topic, partitions, configs = {} }) {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    const made = await (await admin()).createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }] })
    if (!made) throw Object.assign(new Error('the topic is there already'), { code: 36 })
  },
  async delete_topic({ topic }) { await (await admin()).deleteTopics({ topics: [topic] }) },
  async create_partitions({ topic, count }) {
    await (await admin()).createPartitions({ topicPartitions: [{ topic, count }] })
  },
  async describe_topic({ topic }) {
    return { partitions: (await (await admin()).fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length }
  },
  async list_topics() { return { topics: await (await admin()).listTopics() } },
  async describe_cluster() {
    const c = await (await admin()).describeCluster()
    return { brokers: c.brokers.map(b => b.nodeId), controller: c.controller, id: c.clusterId }
  },
  async describe_configs({ topic }) {
    const got = await (await admin()).describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }] })
    return { configs: Object.fromEntries(got.resources[0].configEntries.map(e => [e.configName, e.configValue])) }
  },
  async alter_configs({ topic, configs }) {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    await (await admin()).alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }] })
  },
  async delete_records({ topic, partition, offset }) {
    await (await admin()).deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
  },
  async list_groups() { return { groups: (await (await admin()).listGroups()).groups.map(g => g.groupId) } },
  async describe_group({ group }) {
    const g = (await (await admin()).describeGroups([group])).groups[0]
    return { state: g.state.toLowerCase(), members: g.members.length }
  },
  async delete_group({ group }) { await (await admin()).deleteGroups([group]) },
}

function codeOf(e) {
  return [e.code, e.errors?.[0]?.code, e.cause?.code, e.groups?.[0]?.errorCode].find(c => typeof c === 'number') ?? null
}

async function main() {
  for await (const line of require('readline').createInterface({ input: process.stdin })) {
    const { op, ...args } = JSON.parse(line)
    let answer
    try {
      answer = (await commands[op](args)) || {}
    } catch (e) {
      process.stderr.write(`${e.stack}\n`)
      answer = { error: String(e), code: codeOf(e) }
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
  process.exit(0)
}
main()
