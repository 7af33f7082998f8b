// A driver of Go's clients: a command per line on stdin, an answer per line on stdout (see ../../README.md).
//
//	go_driver franz|sarama|segmentio BOOTSTRAP SETTINGS
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"sync"
	"time"
)

const patience = 20 * time.Second

// A command's arguments, of all commands.
type command struct {
	Op                           string
	Topic, Codec, Group, Member  string
	Assignor, Instance, Protocol string
	Topics                       []string
	Records                      []record
	Partitions                   json.RawMessage
	Configs                      map[string]string
	Partition, Count, Acks       int
	Offset, Timestamp            int64
	Idempotent                   bool
	SessionMs                    int `json:"session_ms"`
}

func (c *command) partitionList() (list []int32) {
	must(json.Unmarshal(c.Partitions, &list))
	return
}

func (c *command) partitionCount() (n int) {
	must(json.Unmarshal(c.Partitions, &n))
	return
}

func (c *command) session() time.Duration {
	if c.SessionMs == 0 {
		return 6 * time.Second
	}
	return time.Duration(c.SessionMs) * time.Millisecond
}

type record struct {
	Topic     string       `json:"t,omitempty"`
	Partition *int32       `json:"p"`
	Offset    int64        `json:"o"`
	Key       *string      `json:"k"`
	Value     *string      `json:"v"`
	Headers   [][2]*string `json:"h"`
	Timestamp int64        `json:"ts,omitempty"`
}

func text(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

func data(s *string) []byte {
	if s == nil {
		return nil
	}
	return []byte(*s)
}

type fields map[string]any

type driver interface {
	// do carries out one command; a panic is an error's answer.
	do(c *command) fields
}

// A member's picture, kept by its callbacks and read by the command "member".
type picture struct {
	sync.Mutex
	assigned   map[string]map[int32]bool
	rebalances int
	records    []record
	failure    error
}

func (p *picture) assign(added map[string][]int32) {
	p.Lock()
	defer p.Unlock()
	p.rebalances++
	if p.assigned == nil {
		p.assigned = map[string]map[int32]bool{}
	}
	for topic, partitions := range added {
		if p.assigned[topic] == nil {
			p.assigned[topic] = map[int32]bool{}
		}
		for _, partition := range partitions {
			p.assigned[topic][partition] = true
		}
	}
}

func (p *picture) revoke(gone map[string][]int32) {
	p.Lock()
	defer p.Unlock()
	for topic, partitions := range gone {
		for _, partition := range partitions {
			delete(p.assigned[topic], partition)
		}
	}
}

func (p *picture) revokeAll() {
	p.Lock()
	defer p.Unlock()
	p.assigned = nil
}

func (p *picture) add(r record) {
	p.Lock()
	defer p.Unlock()
	p.records = append(p.records, r)
}

func (p *picture) fail(err error) {
	p.Lock()
	defer p.Unlock()
	if err != nil {
		fmt.Fprintln(os.Stderr, "member:", err)
		p.failure = err
	}
}

func (p *picture) state() fields {
	p.Lock()
	defer p.Unlock()
	assignment := [][2]any{}
	for topic, partitions := range p.assigned {
		for partition := range partitions {
			assignment = append(assignment, [2]any{topic, partition})
		}
	}
	sort.Slice(assignment, func(i, j int) bool { return assignment[i][1].(int32) < assignment[j][1].(int32) })
	answer := fields{"assignment": assignment, "rebalances": p.rebalances, "records": p.records, "failure": nil}
	if p.records == nil {
		answer["records"] = []record{}
	}
	if p.failure != nil {
		answer["failure"] = p.failure.Error()
	}
	p.records = nil
	return answer
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func some[T any](value T, err error) T {
	must(err)
	return value
}

// coder is what each library's error with a code of Kafka is turned into.
var codeOf = func(error) (int, bool) { return 0, false }

func answer(d driver, c *command) (result fields) {
	defer func() {
		if cause := recover(); cause != nil {
			err, ok := cause.(error)
			if !ok {
				err = errors.New(fmt.Sprint(cause))
			}
			result = fields{"error": err.Error()}
			if code, ok := codeOf(err); ok {
				result["code"] = code
			}
		}
	}()
	result = d.do(c)
	if result == nil {
		result = fields{}
	}
	return result
}

func main() {
	settings := map[string]string{}
	must(json.Unmarshal([]byte(os.Args[3]), &settings))
	makers := map[string]func(string, map[string]string) driver{"franz": newFranz, "sarama": newSarama, "segmentio": newSegmentio}
	d := makers[os.Args[1]](os.Args[2], settings)
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		c := command{Acks: -1}
		must(json.Unmarshal(line, &c))
		fmt.Println(string(some(json.Marshal(answer(d, &c)))))
	}
}
