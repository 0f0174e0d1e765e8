package orgtest

import (
	"net/http"
	"strings"
)

// bearer returns the live session that the request shows, or nil.
func (o *Org) bearer(q *Request) *session {
	scheme, token, _ := strings.Cut(q.Header.Get("Authorization"), " ")
	if s := o.access[token]; strings.EqualFold(scheme, "Bearer") && s.alive() {
		return s
	}
	return nil
}

// api is REST at any version and below, with any method.
func (o *Org) api(q *Request) Reply {
	s := o.bearer(q)
	if s == nil {
		return jsonReply(http.StatusUnauthorized, []any{struct {
			Message   string `json:"message"`
			ErrorCode string `json:"errorCode"`
		}{"Session expired or invalid", "INVALID_SESSION_ID"}})
	}
	return jsonReply(http.StatusOK, map[string]string{
		"identity": s.of.identity,
		"limits":   q.Path + "/limits",
		"sobjects": q.Path + "/sobjects",
	})
}

// versions is the one page of the API that is open to all.
func versions() Reply {
	return jsonReply(http.StatusOK, []map[string]string{
		{"label": "Winter '24", "url": dataPath + "v59.0", "version": "59.0"},
		{"label": "Spring '24", "url": dataPath + "v60.0", "version": "60.0"},
	})
}

func (o *Org) userinfo(q *Request) Reply {
	s := o.bearer(q)
	if s == nil {
		return Reply{Status: http.StatusForbidden, Body: "Bad_OAuth_Token"}
	}
	return jsonReply(http.StatusOK, map[string]string{
		"sub":                s.of.identity,
		"user_id":            s.of.UserID,
		"organization_id":    s.of.OrgID,
		"preferred_username": s.of.Username,
	})
}

// revoke asks nobody who they are: to hold a token is to be allowed to end it.
func (o *Org) revoke(q *Request) Reply {
	if q.Method != http.MethodPost {
		return page(http.StatusMethodNotAllowed)
	}
	token := q.Form.Get("token")
	switch {
	case o.endLogin(token), o.end(token):
		return Reply{Status: http.StatusOK}
	case o.refresh[token] != nil, o.access[token] != nil:
		return Refuse("invalid_token", "token is already revoked or expired")
	}
	return Refuse("unsupported_token_type", "this token type is not supported")
}
