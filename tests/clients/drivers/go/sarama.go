package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// sarama. Settings: version, the protocol version it is pinned to.
type saramaDriver struct {
	bootstrap []string
	version   sarama.KafkaVersion
	kept      sarama.ClusterAdmin
	members   map[string]*saramaMember
}

type saramaMember struct {
	picture
	group   sarama.ConsumerGroup
	stop    context.CancelFunc
	ended   chan struct{}
	session sarama.ConsumerGroupSession
}

func newSarama(bootstrap string, settings map[string]string) driver {
	codeOf = func(err error) (int, bool) {
		var topic *sarama.TopicError
		if errors.As(err, &topic) {
			return int(topic.Err), true
		}
		var known sarama.KError
		if errors.As(err, &known) {
			return int(known), true
		}
		return 0, false
	}
	return &saramaDriver{bootstrap: []string{bootstrap}, version: some(sarama.ParseKafkaVersion(settings["version"])),
		members: map[string]*saramaMember{}}
}

func (s *saramaDriver) config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = s.version
	// As clients of its time: the version is not negotiated.
	c.ApiVersionsRequest = s.version.IsAtLeast(sarama.V2_0_0_0)
	c.Consumer.Return.Errors = true
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Metadata.Retry.Backoff = 50 * time.Millisecond
	return c
}

func (s *saramaDriver) admin() sarama.ClusterAdmin {
	if s.kept == nil {
		s.kept = some(sarama.NewClusterAdmin(s.bootstrap, s.config()))
	}
	return s.kept
}

func saramaRecord(m *sarama.ConsumerMessage) record {
	got := record{Topic: m.Topic, Partition: &m.Partition, Offset: m.Offset, Key: text(m.Key), Value: text(m.Value),
		Headers: [][2]*string{}, Timestamp: m.Timestamp.UnixMilli()}
	for _, h := range m.Headers {
		got.Headers = append(got.Headers, [2]*string{text(h.Key), text(h.Value)})
	}
	return got
}

func (s *saramaDriver) do(c *command) fields {
	switch c.Op {
	case "produce":
		return s.produce(c)
	case "fetch":
		return s.fetch(c)
	case "offset_for_time":
		client := some(sarama.NewClient(s.bootstrap, s.config()))
		defer client.Close()
		return fields{"offset": some(client.GetOffset(c.Topic, int32(c.Partition), c.Timestamp))}
	case "join":
		s.join(c)
	case "member":
		return s.members[c.Member].state()
	case "commit":
		m := s.members[c.Member]
		m.Lock()
		defer m.Unlock()
		m.session.Commit()
	case "leave":
		m := s.members[c.Member]
		delete(s.members, c.Member)
		m.stop()
		<-m.ended
		must(m.group.Close())
	default:
		return s.administer(c)
	}
	return nil
}

func (s *saramaDriver) produce(c *command) fields {
	codecs := map[string]sarama.CompressionCodec{"": sarama.CompressionNone, "none": sarama.CompressionNone,
		"gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}
	config := s.config()
	config.Producer.Compression = codecs[c.Codec]
	config.Producer.RequiredAcks = sarama.RequiredAcks(c.Acks)
	config.Producer.Return.Successes = true
	config.Producer.Flush.Frequency = 20 * time.Millisecond
	config.Producer.Partitioner = newKeyOrGiven
	if c.Idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	producer := some(sarama.NewSyncProducer(s.bootstrap, config))
	defer producer.Close()
	messages := make([]*sarama.ProducerMessage, len(c.Records))
	for i, r := range c.Records {
		m := &sarama.ProducerMessage{Topic: c.Topic, Partition: -1}
		if r.Key != nil {
			m.Key = sarama.StringEncoder(*r.Key)
		}
		if r.Value != nil {
			m.Value = sarama.StringEncoder(*r.Value)
		}
		if r.Partition != nil {
			m.Partition = *r.Partition
		}
		if r.Timestamp != 0 {
			m.Timestamp = time.UnixMilli(r.Timestamp)
		}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: data(h[0]), Value: data(h[1])})
		}
		messages[i] = m
	}
	if err := producer.SendMessages(messages); err != nil {
		var all sarama.ProducerErrors
		if errors.As(err, &all) {
			panic(all[0].Err)
		}
		panic(err)
	}
	offsets := make([][2]int64, len(messages))
	for i, m := range messages {
		offsets[i] = [2]int64{int64(m.Partition), m.Offset}
	}
	return fields{"offsets": offsets}
}

// keyOrGiven: the partition a message names, or that of its key.
type keyOrGiven struct{ byKey sarama.Partitioner }

func newKeyOrGiven(topic string) sarama.Partitioner {
	return keyOrGiven{sarama.NewHashPartitioner(topic)}
}
func (k keyOrGiven) RequiresConsistency() bool { return true }
func (k keyOrGiven) Partition(m *sarama.ProducerMessage, n int32) (int32, error) {
	if m.Partition >= 0 {
		return m.Partition, nil
	}
	return k.byKey.Partition(m, n)
}

func (s *saramaDriver) fetch(c *command) fields {
	consumer := some(sarama.NewConsumer(s.bootstrap, s.config()))
	defer consumer.Close()
	messages, failures := make(chan *sarama.ConsumerMessage), make(chan error, 16)
	over := make(chan struct{})
	parts := []sarama.PartitionConsumer{}
	for _, p := range c.partitionList() {
		part := some(consumer.ConsumePartition(c.Topic, p, c.Offset))
		parts = append(parts, part)
		go func() {
			for m := range part.Messages() {
				select {
				case messages <- m:
				case <-over:
				}
			}
		}()
		go func() {
			for err := range part.Errors() {
				select {
				case failures <- err:
				case <-over:
				}
			}
		}()
	}
	got, deadline := []record{}, time.After(patience)
	var failure error
	for len(got) < c.Count && failure == nil {
		select {
		case m := <-messages:
			got = append(got, saramaRecord(m))
		case failure = <-failures:
		case <-deadline:
			failure = fmt.Errorf("%d of %d records", len(got), c.Count)
		}
	}
	close(over)
	for _, part := range parts {
		part.AsyncClose()
	}
	must(failure)
	return fields{"records": got}
}

func (s *saramaDriver) join(c *command) {
	strategies := map[string]sarama.BalanceStrategy{"": sarama.NewBalanceStrategyRange(), "range": sarama.NewBalanceStrategyRange(),
		"roundrobin": sarama.NewBalanceStrategyRoundRobin(), "sticky": sarama.NewBalanceStrategySticky()}
	config := s.config()
	config.Consumer.Group.Session.Timeout = c.session()
	config.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategies[c.Assignor]}
	config.Consumer.Group.InstanceId = c.Instance
	m := &saramaMember{ended: make(chan struct{}), group: some(sarama.NewConsumerGroup(s.bootstrap, c.Group, config))}
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	s.members[c.Member] = m
	go func() {
		for err := range m.group.Errors() {
			m.fail(err)
		}
	}()
	go func() {
		defer close(m.ended)
		for ctx.Err() == nil {
			if err := m.group.Consume(ctx, c.Topics, m); err != nil && ctx.Err() == nil {
				m.fail(err)
				return
			}
		}
	}()
}

func (m *saramaMember) Setup(session sarama.ConsumerGroupSession) error {
	m.Lock()
	m.session = session
	m.Unlock()
	m.assign(session.Claims())
	return nil
}

func (m *saramaMember) Cleanup(sarama.ConsumerGroupSession) error {
	m.revokeAll()
	return nil
}

func (m *saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			m.add(saramaRecord(message))
			session.MarkMessage(message, "")
		case <-session.Context().Done():
			return nil
		}
	}
}

func (s *saramaDriver) administer(c *command) fields {
	a := s.admin()
	switch c.Op {
	case "committed":
		got := some(a.ListConsumerGroupOffsets(c.Group, map[string][]int32{c.Topic: c.partitionList()}))
		offsets := []int64{}
		for _, p := range c.partitionList() {
			offsets = append(offsets, got.GetBlock(c.Topic, p).Offset)
		}
		return fields{"offsets": offsets}
	case "create_topic":
		configs := map[string]*string{}
		for k, v := range c.Configs {
			configs[k] = &v
		}
		must(a.CreateTopic(c.Topic, &sarama.TopicDetail{NumPartitions: int32(c.partitionCount()), ReplicationFactor: 1,
			ConfigEntries: configs}, false))
	case "delete_topic":
		must(a.DeleteTopic(c.Topic))
	case "create_partitions":
		must(a.CreatePartitions(c.Topic, int32(c.Count), nil, false))
	case "describe_topic":
		got := some(a.DescribeTopics([]string{c.Topic}))[0]
		if got.Err != sarama.ErrNoError {
			panic(got.Err)
		}
		return fields{"partitions": len(got.Partitions)}
	case "list_topics":
		// Not by the admin client: that asks for configs too, which version 0.10 has not.
		client := some(sarama.NewClient(s.bootstrap, s.config()))
		defer client.Close()
		return fields{"topics": some(client.Topics())}
	case "describe_cluster":
		brokers, controller, err := a.DescribeCluster()
		must(err)
		ids := []int32{}
		for _, b := range brokers {
			ids = append(ids, b.ID())
		}
		return fields{"brokers": ids, "controller": controller}
	case "describe_configs":
		configs := map[string]string{}
		for _, entry := range some(a.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: c.Topic})) {
			configs[entry.Name] = entry.Value
		}
		return fields{"configs": configs}
	case "alter_configs":
		entries := map[string]sarama.IncrementalAlterConfigsEntry{}
		for k, v := range c.Configs {
			entries[k] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &v}
		}
		must(a.IncrementalAlterConfig(sarama.TopicResource, c.Topic, entries, false))
	case "delete_records":
		must(a.DeleteRecords(c.Topic, map[int32]int64{int32(c.Partition): c.Offset}))
	case "list_groups":
		groups := []string{}
		for group := range some(a.ListConsumerGroups()) {
			groups = append(groups, group)
		}
		return fields{"groups": groups}
	case "describe_group":
		got := some(a.DescribeConsumerGroups([]string{c.Group}))[0]
		return fields{"state": strings.ToLower(got.State), "members": len(got.Members)}
	case "delete_group":
		must(a.DeleteConsumerGroup(c.Group))
	default:
		panic("sarama has no " + c.Op)
	}
	return nil
}
