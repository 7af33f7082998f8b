package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
)

// segmentio's kafka-go. Its group members are its ConsumerGroup, its partitions are read by Readers.
type segmentio struct {
	bootstrap string
	client    *kafka.Client
	members   map[string]*segmentioMember
}

type segmentioMember struct {
	picture
	group      *kafka.ConsumerGroup
	generation *kafka.Generation
	read       map[string]map[int]int64
	stop       context.CancelFunc
	ended      chan struct{}
}

func newSegmentio(bootstrap string, settings map[string]string) driver {
	codeOf = func(err error) (int, bool) {
		var known kafka.Error
		if errors.As(err, &known) {
			return int(known), true
		}
		return 0, false
	}
	return &segmentio{bootstrap: bootstrap, client: &kafka.Client{Addr: kafka.TCP(bootstrap), Timeout: patience,
		Transport: &kafka.Transport{MetadataTTL: 100 * time.Millisecond}},
		members: map[string]*segmentioMember{}}
}

func segmentioRecord(m kafka.Message) record {
	partition := int32(m.Partition)
	got := record{Topic: m.Topic, Partition: &partition, Offset: m.Offset, Key: text(m.Key), Value: text(m.Value),
		Headers: [][2]*string{}, Timestamp: m.Time.UnixMilli()}
	for _, h := range m.Headers {
		got.Headers = append(got.Headers, [2]*string{&h.Key, text(h.Value)})
	}
	return got
}

func (s *segmentio) do(c *command) fields {
	ctx, cancel := soon()
	defer cancel()
	switch c.Op {
	case "produce":
		return s.produce(ctx, c)
	case "fetch":
		return s.fetch(ctx, c)
	case "join":
		s.join(c)
	case "member":
		return s.members[c.Member].state()
	case "commit":
		m := s.members[c.Member]
		m.Lock()
		defer m.Unlock()
		must(m.generation.CommitOffsets(m.read))
	case "leave":
		m := s.members[c.Member]
		delete(s.members, c.Member)
		m.stop()
		must(m.group.Close())
		<-m.ended
	default:
		return s.administer(ctx, c)
	}
	return nil
}

func (s *segmentio) produce(ctx context.Context, c *command) fields {
	codecs := map[string]compress.Compression{"gzip": compress.Gzip, "snappy": compress.Snappy, "lz4": compress.Lz4, "zstd": compress.Zstd}
	asked := 0 // once per message, in order
	balancer := kafka.BalancerFunc(func(m kafka.Message, partitions ...int) int {
		r := c.Records[asked]
		asked++
		if r.Partition != nil {
			return int(*r.Partition)
		}
		return (&kafka.Hash{}).Balance(m, partitions...)
	})
	messages := make([]kafka.Message, len(c.Records))
	for i, r := range c.Records {
		messages[i] = kafka.Message{Key: data(r.Key), Value: data(r.Value)}
		if r.Timestamp != 0 {
			messages[i].Time = time.UnixMilli(r.Timestamp)
		}
		for _, h := range r.Headers {
			messages[i].Headers = append(messages[i].Headers, kafka.Header{Key: *h[0], Value: data(h[1])})
		}
	}
	fresh := &kafka.Transport{} // does not remember that the topic was missing
	defer fresh.CloseIdleConnections()
	w := &kafka.Writer{Transport: fresh, Addr: kafka.TCP(s.bootstrap), Topic: c.Topic, Balancer: balancer, BatchTimeout: 20 * time.Millisecond,
		RequiredAcks: kafka.RequiredAcks(c.Acks), Compression: codecs[c.Codec]}
	must(w.WriteMessages(ctx, messages...))
	must(w.Close())
	return fields{"offsets": []int{}}
}

func (s *segmentio) fetch(ctx context.Context, c *command) fields {
	partitions := c.partitionList()
	got, expected := []record{}, c.Count
	for _, p := range partitions {
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{s.bootstrap}, Topic: c.Topic, Partition: int(p), MaxWait: 100 * time.Millisecond})
		must(r.SetOffset(c.Offset))
		end := s.offset(ctx, c.Topic, int(p), kafka.LastOffsetOf(int(p)))
		for at := c.Offset; at < end && len(got) < expected; {
			m, err := r.ReadMessage(ctx)
			must(err)
			got = append(got, segmentioRecord(m))
			at = m.Offset + 1
		}
		must(r.Close())
	}
	return fields{"records": got}
}

func (s *segmentio) offset(ctx context.Context, topic string, partition int, of kafka.OffsetRequest) int64 {
	got := some(s.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {of}}}))
	p := got.Topics[topic][0]
	must(p.Error)
	if of.Timestamp == kafka.LastOffset {
		return p.LastOffset
	}
	if of.Timestamp == kafka.FirstOffset {
		return p.FirstOffset
	}
	for offset := range p.Offsets {
		return offset
	}
	return -1
}

func (s *segmentio) join(c *command) {
	balancers := map[string]kafka.GroupBalancer{"": kafka.RangeGroupBalancer{}, "range": kafka.RangeGroupBalancer{},
		"roundrobin": kafka.RoundRobinGroupBalancer{}}
	m := &segmentioMember{ended: make(chan struct{}), read: map[string]map[int]int64{}}
	m.group = some(kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: c.Group, Brokers: []string{s.bootstrap}, Topics: c.Topics,
		GroupBalancers: []kafka.GroupBalancer{balancers[c.Assignor]}, HeartbeatInterval: 300 * time.Millisecond,
		SessionTimeout: c.session(), RebalanceTimeout: c.session(), JoinGroupBackoff: 200 * time.Millisecond, StartOffset: kafka.FirstOffset}))
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	s.members[c.Member] = m
	go func() {
		defer close(m.ended)
		for {
			generation, err := m.group.Next(ctx)
			if ctx.Err() != nil || errors.Is(err, kafka.ErrGroupClosed) {
				return
			}
			if err != nil { // of one attempt: it goes on
				fmt.Fprintln(os.Stderr, "kafka-go:", err)
				continue
			}
			m.begin(s.bootstrap, generation)
		}
	}()
}

func (m *segmentioMember) begin(bootstrap string, generation *kafka.Generation) {
	m.revokeAll()
	m.Lock()
	m.generation, m.read = generation, map[string]map[int]int64{}
	m.Unlock()
	assigned := map[string][]int32{}
	for topic, partitions := range generation.Assignments {
		for _, p := range partitions {
			assigned[topic] = append(assigned[topic], int32(p.ID))
			generation.Start(func(ctx context.Context) { m.consume(ctx, bootstrap, topic, p) })
		}
	}
	generation.Start(func(ctx context.Context) {
		<-ctx.Done()
		m.revokeAll()
	})
	m.assign(assigned)
}

func (m *segmentioMember) consume(ctx context.Context, bootstrap, topic string, p kafka.PartitionAssignment) {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{bootstrap}, Topic: topic, Partition: p.ID, MaxWait: 100 * time.Millisecond})
	defer r.Close()
	m.fail(r.SetOffset(p.Offset))
	for {
		message, err := r.ReadMessage(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			m.fail(err)
			return
		}
		m.add(segmentioRecord(message))
		m.Lock()
		if m.read[topic] == nil {
			m.read[topic] = map[int]int64{}
		}
		m.read[topic][p.ID] = message.Offset + 1
		m.Unlock()
	}
}

func first(errs map[string]error) {
	for _, err := range errs {
		must(err)
	}
}

func (s *segmentio) administer(ctx context.Context, c *command) fields {
	a := s.client
	switch c.Op {
	case "offset_for_time":
		return fields{"offset": s.offset(ctx, c.Topic, c.Partition, kafka.OffsetRequest{Partition: c.Partition, Timestamp: c.Timestamp})}
	case "committed":
		partitions := []int{}
		for _, p := range c.partitionList() {
			partitions = append(partitions, int(p))
		}
		got := some(a.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: c.Group, Topics: map[string][]int{c.Topic: partitions}}))
		must(got.Error)
		offsets := make([]int64, len(partitions))
		for _, p := range got.Topics[c.Topic] {
			offsets[p.Partition] = p.CommittedOffset
		}
		return fields{"offsets": offsets}
	case "create_topic":
		entries := []kafka.ConfigEntry{}
		for k, v := range c.Configs {
			entries = append(entries, kafka.ConfigEntry{ConfigName: k, ConfigValue: v})
		}
		first(some(a.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: c.Topic,
			NumPartitions: c.partitionCount(), ReplicationFactor: 1, ConfigEntries: entries}}})).Errors)
	case "delete_topic":
		first(some(a.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{c.Topic}})).Errors)
	case "create_partitions":
		first(some(a.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: c.Topic,
			Count: int32(c.Count)}}})).Errors)
	case "describe_topic":
		got := some(a.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{c.Topic}})).Topics[0]
		must(got.Error)
		return fields{"partitions": len(got.Partitions)}
	case "list_topics":
		names := []string{}
		for _, t := range some(a.Metadata(ctx, &kafka.MetadataRequest{})).Topics {
			names = append(names, t.Name)
		}
		return fields{"topics": names}
	case "describe_cluster":
		got := some(a.Metadata(ctx, &kafka.MetadataRequest{}))
		ids := []int{}
		for _, b := range got.Brokers {
			ids = append(ids, b.ID)
		}
		return fields{"brokers": ids, "controller": got.Controller.ID, "id": got.ClusterID}
	case "describe_configs":
		got := some(a.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: c.Topic}}})).Resources[0]
		must(got.Error)
		configs := map[string]string{}
		for _, entry := range got.ConfigEntries {
			configs[entry.ConfigName] = entry.ConfigValue
		}
		return fields{"configs": configs}
	case "alter_configs":
		entries := []kafka.IncrementalAlterConfigsRequestConfig{}
		for k, v := range c.Configs {
			entries = append(entries, kafka.IncrementalAlterConfigsRequestConfig{Name: k, Value: v, ConfigOperation: kafka.ConfigOperationSet})
		}
		must(some(a.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: c.Topic, Configs: entries}}})).Resources[0].Error)
	case "list_groups":
		got := some(a.ListGroups(ctx, &kafka.ListGroupsRequest{}))
		must(got.Error)
		groups := []string{}
		for _, g := range got.Groups {
			groups = append(groups, g.GroupID)
		}
		return fields{"groups": groups}
	case "describe_group":
		got := some(a.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{c.Group}})).Groups[0]
		must(got.Error)
		return fields{"state": strings.ToLower(got.GroupState), "members": len(got.Members)}
	case "delete_group":
		first(some(a.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{c.Group}})).Errors)
	default:
		panic("kafka-go has no " + c.Op)
	}
	return nil
}
