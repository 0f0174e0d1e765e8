package orgtest

import "net/http"

// token is the token endpoint. Its checks come in Salesforce's order.
func (o *Org) token(q *Request) Reply {
	if q.Method != http.MethodPost {
		return page(http.StatusMethodNotAllowed)
	}
	if !isForm(q.Header) {
		return Refuse("invalid_request", "content type must be application/x-www-form-urlencoded")
	}
	switch q.Form.Get("grant_type") {
	case "refresh_token":
		return o.refreshGrant(q)
	}
	return Refuse("unsupported_grant_type", "grant type not supported")
}

func (o *Org) refreshGrant(q *Request) Reply {
	if refusal, ok := o.admit(q); !ok {
		return refusal
	}
	token := q.Form.Get("refresh_token")
	switch {
	case q.Form.Has("scope"):
		return Refuse("invalid_request", "scope parameter not supported")
	case token == "":
		return Refuse("invalid_request", "missing required parameter: refresh_token")
	case q.refused:
		return Refuse("invalid_grant", "token request is already being processed")
	case !o.holds(token):
		o.punish(token)
		return Refuse("invalid_grant", "expired access/refresh token")
	}
	return o.renew(o.refresh[token])
}

// admit checks the app, and a secret whenever one is sent.
func (o *Org) admit(q *Request) (refusal Reply, ok bool) {
	id := q.Form.Get("client_id")
	if id == "" || o.rules.ClientID != "" && id != o.rules.ClientID {
		return Refuse("invalid_client_id", "client identifier invalid"), false
	}
	if q.Form.Get("client_secret") != o.rules.ClientSecret {
		return Refuse("invalid_client", "invalid client credentials"), false
	}
	return Reply{}, true
}

// punish ends the login of a refresh token that was rotated out: two parties
// hold it, and one of them may be a thief.
func (o *Org) punish(token string) {
	if l := o.refresh[token]; l != nil {
		o.revokeLogin(l)
	}
}

func (o *Org) renew(l *login) Reply {
	if o.rules.Rotate {
		o.giveRefresh(l)
	}
	o.giveAccess(l)
	answer := l.fields()
	if !o.rules.Rotate {
		answer.RefreshToken = ""
	}
	return jsonReply(http.StatusOK, answer)
}
