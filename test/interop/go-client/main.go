// A program of etcd's own Go client, as its users write them: it exercises every call that one member answers and ends
// with status 1 at the first answer that is not what etcd promises. Usage: go-client ENDPOINT
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

const prefix = "go-client/"

var checks int

func check(what string, holds bool, got ...any) {
	if !holds {
		fmt.Fprintf(os.Stderr, "FAILED: %s; got %v\n", what, got)
		os.Exit(1)
	}
	checks++
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintf(os.Stderr, "FAILED: %v\n", err)
		os.Exit(1)
	}
	return value
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go-client ENDPOINT")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := must(clientv3.New(clientv3.Config{Endpoints: []string{os.Args[1]}, DialTimeout: 5 * time.Second}))
	defer client.Close()
	must(client.Delete(ctx, prefix, clientv3.WithPrefix()))
	keys(ctx, client)
	transactions(ctx, client)
	watches(ctx, client)
	compactedWatch(ctx, client)
	leases(ctx, client)
	transactionalMemory(ctx, client)
	largeValues(ctx, client)
	maintenance(ctx, client)
	fmt.Printf("%d checks passed\n", checks)
}

func keys(ctx context.Context, client *clientv3.Client) {
	first := must(client.Put(ctx, prefix+"a", "1"))
	second := must(client.Put(ctx, prefix+"a", "2", clientv3.WithPrevKV()))
	check("a put raises the revision by one", second.Header.Revision == first.Header.Revision+1, second.Header.Revision)
	check("a put gives back the value before", string(second.PrevKv.Value) == "1", second.PrevKv)
	old := must(client.Get(ctx, prefix+"a", clientv3.WithRev(first.Header.Revision)))
	check("a read at an old revision sees the old value", string(old.Kvs[0].Value) == "1", old.Kvs)
	for i := range 10 {
		must(client.Put(ctx, fmt.Sprintf("%slist/%02d", prefix, i), "v"))
	}
	list := must(client.Get(ctx, prefix+"list/", clientv3.WithPrefix(), clientv3.WithLimit(3)))
	check("a limited list counts all", len(list.Kvs) == 3 && list.Count == 10 && list.More, list.Count)
	last := must(client.Get(ctx, prefix+"list/", clientv3.WithLastKey()...))
	check("the last key is the last", string(last.Kvs[0].Key) == prefix+"list/09", last.Kvs)
	removed := must(client.Delete(ctx, prefix+"list/", clientv3.WithPrefix()))
	check("a range delete counts", removed.Deleted == 10, removed.Deleted)
	_, err := client.Get(ctx, prefix, clientv3.WithRev(1<<40))
	check("a future revision is refused", errors.Is(err, rpctypes.ErrFutureRev), err)
}

func transactions(ctx context.Context, client *clientv3.Client) {
	key := prefix + "txn"
	create := func() *clientv3.TxnResponse {
		return must(client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", 0)).
			Then(clientv3.OpPut(key, "created")).Else(clientv3.OpGet(key)).Commit())
	}
	check("a create succeeds once", create().Succeeded)
	again := create()
	check("and then reads what is there", !again.Succeeded && string(again.Responses[0].GetResponseRange().Kvs[0].Value) == "created", again)
	_, err := client.Txn(ctx).Then(clientv3.OpPut(key, "1"), clientv3.OpPut(key, "2")).Commit()
	check("two puts of one key are refused", errors.Is(err, rpctypes.ErrDuplicateKey), err)
}

func watches(ctx context.Context, client *clientv3.Client) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	started := must(client.Put(ctx, prefix+"w/0", "x"))
	events := client.Watch(watching, prefix+"w/", clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithRev(started.Header.Revision))
	for i := 1; i < 100; i++ {
		must(client.Put(ctx, fmt.Sprintf("%sw/%d", prefix, i%10), fmt.Sprint(i)))
	}
	must(client.Delete(ctx, prefix+"w/5"))
	seen, revision := 0, int64(0)
	for response := range events {
		check("a watch goes on", response.Err() == nil, response.Err())
		for _, event := range response.Events {
			check("events come in order", event.Kv.ModRevision > revision, event.Kv.ModRevision, revision)
			revision = event.Kv.ModRevision
			check("a change carries what was before", event.IsCreate() || event.PrevKv != nil, event)
			seen++
		}
		if seen == 101 {
			break
		}
	}
	check("every event arrived", seen == 101, seen)
}

func compactedWatch(ctx context.Context, client *clientv3.Client) {
	var revision int64
	for range 5 {
		revision = must(client.Put(ctx, prefix+"c", "x")).Header.Revision
	}
	must(client.Compact(ctx, revision, clientv3.WithCompactPhysical()))
	response := <-client.Watch(ctx, prefix+"c", clientv3.WithRev(revision-2))
	check("a watch from before a compaction is told so", response.CompactRevision == revision && errors.Is(response.Err(), rpctypes.ErrCompacted), response)
	_, err := client.Get(ctx, prefix+"c", clientv3.WithRev(revision-2))
	check("and so is a read", errors.Is(err, rpctypes.ErrCompacted), err)
}

func leases(ctx context.Context, client *clientv3.Client) {
	lease := must(client.Grant(ctx, 2))
	must(client.Put(ctx, prefix+"leased", "x", clientv3.WithLease(lease.ID)))
	alive := must(client.KeepAliveOnce(ctx, lease.ID))
	check("a renewal gives the full time", alive.TTL == 2, alive.TTL)
	left := must(client.TimeToLive(ctx, lease.ID, clientv3.WithAttachedKeys()))
	check("a lease names its keys", len(left.Keys) == 1 && string(left.Keys[0]) == prefix+"leased", left.Keys)
	removed := <-client.Watch(ctx, prefix+"leased", clientv3.WithRev(alive.Revision+1))
	check("an expired lease takes its keys along", removed.Events[0].Type == clientv3.EventTypeDelete, removed.Events)
	gone := must(client.TimeToLive(ctx, lease.ID))
	check("and is gone", gone.TTL == -1, gone.TTL)
	_, err := client.Revoke(ctx, lease.ID)
	check("it cannot be revoked again", errors.Is(err, rpctypes.ErrLeaseNotFound), err)
	session := must(concurrency.NewSession(client, concurrency.WithTTL(5)))
	mutex := concurrency.NewMutex(session, prefix+"lock")
	check("a lock is taken", mutex.Lock(ctx) == nil)
	check("and given back", mutex.Unlock(ctx) == nil && session.Close() == nil)
}

func transactionalMemory(ctx context.Context, client *clientv3.Client) {
	must(client.Put(ctx, prefix+"sum", ""))
	done := make(chan error, 4)
	for range 4 {
		go func() {
			for range 10 {
				if _, err := concurrency.NewSTM(client, func(stm concurrency.STM) error {
					stm.Put(prefix+"sum", stm.Get(prefix+"sum")+"i")
					return nil
				}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		check("a software transaction commits", <-done == nil)
	}
	sum := must(client.Get(ctx, prefix+"sum"))
	check("no increment is lost", string(sum.Kvs[0].Value) == strings.Repeat("i", 40), sum.Kvs)
}

func largeValues(ctx context.Context, client *clientv3.Client) {
	value := bytes.Repeat([]byte("v"), 1<<20)
	for i := range 8 {
		must(client.Put(ctx, fmt.Sprintf("%slarge/%d", prefix, i), string(value)))
	}
	list := must(client.Get(ctx, prefix+"large/", clientv3.WithPrefix()))
	check("eight megabytes come back whole", len(list.Kvs) == 8 && bytes.Equal(list.Kvs[7].Value, value), len(list.Kvs))
	_, err := client.Put(ctx, prefix+"too-large", strings.Repeat("v", 1600*1024))
	check("a request that is too large is refused", errors.Is(err, rpctypes.ErrRequestTooLarge), err)
	must(client.Delete(ctx, prefix+"large/", clientv3.WithPrefix()))
}

func maintenance(ctx context.Context, client *clientv3.Client) {
	endpoint := client.Endpoints()[0]
	status := must(client.Status(ctx, endpoint))
	check("the member leads", status.Leader == status.Header.MemberId, status.Leader)
	hash := must(client.HashKV(ctx, endpoint, 0))
	check("the hash names its revision", hash.HashRevision == hash.Header.Revision, hash)
	members := must(client.MemberList(ctx))
	check("there is one member", len(members.Members) == 1 && len(members.Members[0].ClientURLs) > 0, members.Members)
	must(client.Defragment(ctx, endpoint))
	alarms := must(client.AlarmList(ctx))
	check("no alarm is on", len(alarms.Alarms) == 0, alarms.Alarms)
}
