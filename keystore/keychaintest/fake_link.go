package keychaintest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	busName = "org.freedesktop.DBus"
	guid    = "00000000000000000000000000000001"
)

// A link is one connection to a Fake. One goroutine reads it, answers, and reads
// again.
type link struct {
	fake   *Fake
	conn   net.Conn
	in     *bufio.Reader
	serial uint32
}

// A call is a method call on its way through the fake.
type call struct {
	member string // as in Fake.Calls
	iface  string
	path   dbus.ObjectPath
	to     string
	serial uint32
	body   []any
	fault  Fault
	after  func(*link) error // runs when the reply is out
}

var errDrop = errors.New("the connection is to be dropped")

func newLink(f *Fake, conn net.Conn) *link {
	return &link{fake: f, conn: conn, in: bufio.NewReader(conn)}
}

func (l *link) serve() {
	l.fake.mu.Lock()
	mute := l.fake.options.MuteAuth
	l.fake.mu.Unlock()
	if mute {
		io.Copy(io.Discard, l.in)
		return
	}
	err := l.authenticate()
	for err == nil {
		err = l.next()
	}
}

// authenticate takes whoever comes for who he says he is, up to BEGIN.
func (l *link) authenticate() error {
	if _, err := l.in.ReadByte(); err != nil { // a NUL opens the conversation
		return err
	}
	for {
		line, err := l.in.ReadString('\n')
		if err != nil {
			return err
		}
		line = strings.TrimSpace(line)
		if line == "BEGIN" {
			return nil
		}
		if _, err := io.WriteString(l.conn, authReply(line)+"\r\n"); err != nil {
			return err
		}
	}
}

func authReply(line string) string {
	switch {
	case strings.HasPrefix(line, "AUTH EXTERNAL"):
		return "OK " + guid
	case strings.HasPrefix(line, "AUTH"):
		return "REJECTED EXTERNAL"
	case line == "NEGOTIATE_UNIX_FD":
		return "AGREE_UNIX_FD"
	}
	return "ERROR"
}

// next answers one message.
func (l *link) next() error {
	m, err := dbus.DecodeMessage(l.in)
	if err != nil || m.Type != dbus.TypeMethodCall {
		return err
	}
	c := newCall(m)
	c.fault = l.fake.record(c.member)
	l.pause(c.fault.Delay)
	switch {
	case c.fault.Drop:
		return errDrop
	case c.fault.Hang:
		return nil
	}
	return l.reply(c)
}

func newCall(m *dbus.Message) *call {
	c := &call{serial: m.Serial(), body: m.Body}
	c.member, _ = m.Headers[dbus.FieldMember].Value().(string)
	c.path, _ = m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	c.iface, _ = m.Headers[dbus.FieldInterface].Value().(string)
	c.to, _ = m.Headers[dbus.FieldDestination].Value().(string)
	if strings.HasSuffix(c.iface, ".Properties") {
		c.member = "Properties." + c.member
	}
	return c
}

// pause lets d pass, or less if the fake is closed.
func (l *link) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-l.fake.closed:
	}
}

func (l *link) reply(c *call) error {
	results, err := l.fake.answer(c)
	headers := map[dbus.HeaderField]any{dbus.FieldReplySerial: c.serial, dbus.FieldSender: c.to}
	if err != nil {
		refusal := dbus.MakeFailedError(err)
		errors.As(err, refusal)
		headers[dbus.FieldErrorName] = refusal.Name
		return l.send(dbus.TypeError, headers, refusal.Body...)
	}
	if err := l.send(dbus.TypeMethodReply, headers, results...); err != nil || c.after == nil {
		return err
	}
	return c.after(l)
}

// completed tells that a prompt is done with.
func (l *link) completed(prompt dbus.ObjectPath, dismissed bool, result any) error {
	return l.send(dbus.TypeSignal, map[dbus.HeaderField]any{
		dbus.FieldPath:      prompt,
		dbus.FieldInterface: secretPrefix + "Prompt",
		dbus.FieldMember:    "Completed",
		dbus.FieldSender:    serviceName,
	}, dismissed, dbus.MakeVariant(result))
}

func (l *link) send(kind dbus.Type, headers map[dbus.HeaderField]any, body ...any) error {
	m := dbus.Message{Type: kind, Headers: map[dbus.HeaderField]dbus.Variant{}, Body: body}
	if len(body) > 0 {
		headers[dbus.FieldSignature] = dbus.SignatureOf(body...)
	}
	for field, v := range headers {
		m.Headers[field] = dbus.MakeVariant(v)
	}
	var wire bytes.Buffer
	if err := m.EncodeTo(&wire, binary.LittleEndian); err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	// Only godbus itself can number a message; the number is in bytes 8 to 11.
	l.serial++
	binary.LittleEndian.PutUint32(wire.Bytes()[8:], l.serial)
	_, err := wire.WriteTo(l.conn)
	return err
}
