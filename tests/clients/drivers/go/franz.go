package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// franz-go.
type franz struct {
	options []kgo.Opt
	admin   *kadm.Client
	members map[string]*franzMember
}

type franzMember struct {
	picture
	client *kgo.Client
	stop   context.CancelFunc
	ended  chan struct{}
}

func newFranz(bootstrap string, settings map[string]string) driver {
	codeOf = func(err error) (int, bool) {
		var known *kerr.Error
		if errors.As(err, &known) {
			return int(known.Code), true
		}
		return 0, false
	}
	options := []kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.MetadataMinAge(50 * time.Millisecond)}
	return &franz{options: options, admin: kadm.NewClient(some(kgo.NewClient(options...))), members: map[string]*franzMember{}}
}

func (f *franz) client(more ...kgo.Opt) *kgo.Client {
	return some(kgo.NewClient(append(append([]kgo.Opt{}, f.options...), more...)...))
}

func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

func franzRecord(r *kgo.Record) record {
	got := record{Topic: r.Topic, Partition: &r.Partition, Offset: r.Offset, Key: text(r.Key), Value: text(r.Value),
		Headers: [][2]*string{}, Timestamp: r.Timestamp.UnixMilli()}
	for _, h := range r.Headers {
		got.Headers = append(got.Headers, [2]*string{&h.Key, text(h.Value)})
	}
	return got
}

func (f *franz) do(c *command) fields {
	ctx, cancel := soon()
	defer cancel()
	switch c.Op {
	case "produce":
		return f.produce(ctx, c)
	case "fetch":
		return f.fetch(ctx, c)
	case "join":
		f.join(c)
	case "member":
		return f.members[c.Member].state()
	case "commit":
		must(f.members[c.Member].client.CommitUncommittedOffsets(ctx))
	case "leave":
		f.members[c.Member].leave()
		delete(f.members, c.Member)
	default:
		return f.administer(ctx, c)
	}
	return nil
}

func (f *franz) produce(ctx context.Context, c *command) fields {
	codecs := map[string]kgo.CompressionCodec{"": kgo.NoCompression(), "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	acks := map[int]kgo.Acks{-1: kgo.AllISRAcks(), 0: kgo.NoAck(), 1: kgo.LeaderAck()}
	options := []kgo.Opt{kgo.ProducerBatchCompression(codecs[c.Codec]), kgo.RequiredAcks(acks[c.Acks]),
		kgo.ProducerLinger(20 * time.Millisecond), kgo.RecordPartitioner(franzPartitioner())}
	if !c.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client := f.client(options...)
	defer client.Close()
	records := make([]*kgo.Record, len(c.Records))
	for i, r := range c.Records {
		records[i] = &kgo.Record{Topic: c.Topic, Key: data(r.Key), Value: data(r.Value), Partition: -1}
		if r.Partition != nil {
			records[i].Partition = *r.Partition
		}
		if r.Timestamp != 0 {
			records[i].Timestamp = time.UnixMilli(r.Timestamp)
		}
		for _, h := range r.Headers {
			records[i].Headers = append(records[i].Headers, kgo.RecordHeader{Key: *h[0], Value: data(h[1])})
		}
	}
	results := client.ProduceSync(ctx, records...)
	must(results.FirstErr())
	// ProduceSync gives results in the order of completion; the records themselves were filled in.
	offsets := make([][2]int64, len(records))
	for i, r := range records {
		offsets[i] = [2]int64{int64(r.Partition), r.Offset}
	}
	return fields{"offsets": offsets}
}

// franzPartitioner: the partition a record names, or that of its key.
func franzPartitioner() kgo.Partitioner {
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		byKey := kgo.StickyKeyPartitioner(nil).ForTopic(topic)
		return func(r *kgo.Record, n int) int {
			if r.Partition >= 0 {
				return int(r.Partition)
			}
			return byKey.Partition(r, n)
		}
	})
}

func (f *franz) fetch(ctx context.Context, c *command) fields {
	from := map[int32]kgo.Offset{}
	for _, p := range c.partitionList() {
		from[p] = kgo.NewOffset().At(c.Offset)
	}
	client := f.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.Topic: from}))
	defer client.Close()
	got := []record{}
	for len(got) < c.Count {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			break
		}
		for _, e := range fetches.Errors() {
			panic(e.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, franzRecord(r)) })
	}
	return fields{"records": got}
}

func (f *franz) join(c *command) {
	m := &franzMember{ended: make(chan struct{})}
	balancers := map[string]kgo.GroupBalancer{"": kgo.RangeBalancer(), "range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(),
		"cooperative-sticky": kgo.CooperativeStickyBalancer()}
	options := []kgo.Opt{kgo.ConsumerGroup(c.Group), kgo.ConsumeTopics(c.Topics...), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Balancers(balancers[c.Assignor]),
		kgo.SessionTimeout(c.session()), kgo.HeartbeatInterval(300 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, added map[string][]int32) { m.assign(added) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { m.revoke(gone) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { m.revoke(gone) })}
	if c.Protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer())
	}
	if c.Instance != "" {
		options = append(options, kgo.InstanceID(c.Instance))
	}
	m.client = f.client(options...)
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	f.members[c.Member] = m
	go func() {
		defer close(m.ended)
		for {
			fetches := m.client.PollFetches(ctx)
			if ctx.Err() != nil {
				return
			}
			for _, e := range fetches.Errors() {
				m.fail(e.Err)
			}
			fetches.EachRecord(func(r *kgo.Record) { m.add(franzRecord(r)) })
		}
	}()
}

func (m *franzMember) leave() {
	m.stop()
	<-m.ended
	m.client.Close() // a static member does not say that it leaves
}

func (f *franz) administer(ctx context.Context, c *command) fields {
	a := f.admin
	switch c.Op {
	case "offset_for_time":
		return fields{"offset": f.offsetForTime(ctx, c)}
	case "committed":
		got := some(a.FetchOffsetsForTopics(ctx, c.Group, c.Topic))
		offsets := []int64{}
		for _, p := range c.partitionList() {
			o, ok := got.Lookup(c.Topic, p)
			if !ok {
				o.At = -1
			}
			offsets = append(offsets, o.At)
		}
		return fields{"offsets": offsets}
	case "create_topic":
		configs := map[string]*string{}
		for k, v := range c.Configs {
			configs[k] = &v
		}
		must(some(a.CreateTopic(ctx, int32(c.partitionCount()), 1, configs, c.Topic)).Err)
	case "delete_topic":
		must(some(a.DeleteTopic(ctx, c.Topic)).Err)
	case "create_partitions":
		must(some(a.UpdatePartitions(ctx, c.Count, c.Topic)).Error())
	case "describe_topic":
		got := some(a.ListTopics(ctx, c.Topic))
		must(got.Error())
		return fields{"partitions": len(got[c.Topic].Partitions)}
	case "list_topics":
		return fields{"topics": some(a.ListTopics(ctx)).Names()}
	case "describe_cluster":
		got := some(a.BrokerMetadata(ctx))
		return fields{"brokers": got.Brokers.NodeIDs(), "controller": got.Controller, "id": got.Cluster}
	case "describe_configs":
		got := some(some(a.DescribeTopicConfigs(ctx, c.Topic)).On(c.Topic, nil))
		must(got.Err)
		configs := map[string]*string{}
		for _, entry := range got.Configs {
			configs[entry.Key] = entry.Value
		}
		return fields{"configs": configs}
	case "alter_configs":
		changes := []kadm.AlterConfig{}
		for k, v := range c.Configs {
			changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: k, Value: &v})
		}
		must(some(some(a.AlterTopicConfigs(ctx, changes, c.Topic)).On(c.Topic, nil)).Err)
	case "delete_records":
		offsets := kadm.Offsets{}
		offsets.AddOffset(c.Topic, int32(c.Partition), c.Offset, -1)
		got := some(a.DeleteRecords(ctx, offsets))
		must(got.Error())
		return fields{"low_watermark": got[c.Topic][int32(c.Partition)].LowWatermark}
	case "list_groups":
		return fields{"groups": some(a.ListGroups(ctx)).Groups()}
	case "describe_group":
		got := some(a.DescribeGroups(ctx, c.Group))[c.Group]
		if !errors.Is(got.Err, kerr.GroupIDNotFound) {
			must(got.Err)
		}
		return fields{"state": strings.ToLower(got.State), "members": len(got.Members)}
	case "delete_group":
		must(some(a.DeleteGroup(ctx, c.Group)).Err)
	default:
		panic("franz-go has no " + c.Op)
	}
	return nil
}

func (f *franz) offsetForTime(ctx context.Context, c *command) int64 {
	list := func(got kadm.ListedOffsets, err error) int64 {
		must(err)
		must(got.Error())
		o, _ := got.Lookup(c.Topic, int32(c.Partition))
		return o.Offset
	}
	switch c.Timestamp {
	case -2:
		return list(f.admin.ListStartOffsets(ctx, c.Topic))
	case -1:
		return list(f.admin.ListEndOffsets(ctx, c.Topic))
	}
	return list(f.admin.ListOffsetsAfterMilli(ctx, c.Timestamp, c.Topic))
}
